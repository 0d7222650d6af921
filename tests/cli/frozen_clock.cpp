// Preloaded into a program, its monotonic clock stands still FROZEN_CLOCK_AFTER_MS after the start, as a
// broken clock source makes it. What asks the kernel by number still hears the truth.
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>

namespace {

long long nanoseconds(const timespec& time) { return time.tv_sec * 1'000'000'000ll + time.tv_nsec; }

long long stops_at(long long now) {
  const char* after_ms = std::getenv("FROZEN_CLOCK_AFTER_MS");
  return now + (after_ms ? std::atoll(after_ms) : 0) * 1'000'000;
}

}  // namespace

extern "C" int clock_gettime(clockid_t id, timespec* time) noexcept {
  const long code = ::syscall(SYS_clock_gettime, id, time);
  if (code != 0 || id != CLOCK_MONOTONIC) return static_cast<int>(code);
  static const long long end = stops_at(nanoseconds(*time));
  if (nanoseconds(*time) > end) time->tv_sec = end / 1'000'000'000, time->tv_nsec = end % 1'000'000'000;
  return 0;
}
