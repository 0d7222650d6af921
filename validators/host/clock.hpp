// Time as the engine sees it: seconds from an arbitrary origin, monotonic. Tests bring their own.
#pragma once

#include <chrono>

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

}  // namespace mlc
