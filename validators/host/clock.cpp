#include "validators/host/clock.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <ctime>

#include "reports/record/moment.hpp"

namespace mlc {

double RawClock::now() {
  timespec time{};
  ::syscall(SYS_clock_gettime, CLOCK_MONOTONIC_RAW, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

std::string timestamp() { return rfc3339(std::time(nullptr)); }

}  // namespace mlc
