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

std::string timestamp();  // RFC 3339 in UTC, of now

}  // namespace mlc
