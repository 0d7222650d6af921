// A libnccl.so.2 of long ago: it knows its version and little else.
extern "C" int ncclGetVersion(int* version) {
  *version = 2708;
  return 0;
}
