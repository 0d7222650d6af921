// A process that the watch ends in a hurry has counted too.
#include <sys/syscall.h>
#include <unistd.h>

extern "C" void __gcov_dump();

extern "C" void _exit(int code) {
  __gcov_dump();
  for (;;)
    ::syscall(SYS_exit_group, code);
}
