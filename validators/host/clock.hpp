// Time as it is measured: seconds from an arbitrary origin, monotonic. Tests bring their own.
#pragma once

#include <chrono>
#include <string>

namespace mlc {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual double now() = 0;
};

class SteadyClock final : public Clock {
 public:
  double now() override {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
};

// CLOCK_MONOTONIC_RAW, asked of the kernel by number: neither the C library, nor the page it maps, nor NTP
// has a part in it. What SteadyClock says can be held against it.
class RawClock final : public Clock {
 public:
  double now() override;
};

std::string timestamp();  // RFC 3339 in UTC, of now

}  // namespace mlc
