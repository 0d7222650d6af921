// Preloaded into a rank: how often it gave its core away, in a file of its own beside $MLC_YIELDS.

#include <dlfcn.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

std::atomic<long> yields{0};

struct AtTheEnd {
  ~AtTheEnd() {
    const char* path = std::getenv("MLC_YIELDS");
    if (path == nullptr) return;
    if (std::FILE* file = std::fopen((std::string(path) + "." + std::to_string(::getpid())).c_str(), "w")) {
      std::fprintf(file, "%ld\n", yields.load());
      std::fclose(file);
    }
  }
} at_the_end;

}  // namespace

extern "C" int sched_yield() noexcept {
  static const auto real = reinterpret_cast<int (*)()>(::dlsym(RTLD_NEXT, "sched_yield"));
  ++yields;
  return real();
}
