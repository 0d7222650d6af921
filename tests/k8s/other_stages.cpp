// Loaded before the program (LD_PRELOAD): what it starts as `mlc-bench rdma` or a collective is the program
// that MLC_TEST_STAGES names instead, so that a fabric stage can be played without rails and with planted
// faults.
#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <initializer_list>

extern "C" int execvp(const char* file, char* const argv[]) {
  using Exec = int (*)(const char*, char* const[]);
  const auto real = reinterpret_cast<Exec>(dlsym(RTLD_NEXT, "execvp"));
  const char* stages = std::getenv("MLC_TEST_STAGES");
  if (stages != nullptr && argv[0] != nullptr && argv[1] != nullptr)
    for (const char* stage : {"rdma", "fleet", "allreduce", "alltoall", "allgather", "reducescatter"})
      if (std::strcmp(argv[1], stage) == 0) return real(stages, argv);
  return real(file, argv);
}
