// Whether a clock can be believed: it is held against another, and against the bare count of looks. One that
// stands still would let a time limit never come, and call whatever it timed infinitely fast. Pure but for
// the clocks it is given.
#pragma once

#include <cstdint>
#include <string>

#include "validators/host/clock.hpp"

namespace mlc {

enum class ClockFault : std::uint8_t {
  none,
  stands_still,  // it does not move while work is done, or while the other does
  goes_backwards,
  disagrees  // with the other about how long it was
};

class ClockWatch {
 public:
  // `other` reads another source (RawClock); null: the count is all there is.
  explicit ClockWatch(Clock& clock, Clock* other = nullptr);

  // Between two stretches of work, however short. A fault that was found stays.
  ClockFault look();
  // The end of something that was timed: work takes time.
  ClockFault timed(double seconds);

  // More than any slewing makes of it: chrony's, 8.3 %, is the fastest there is.
  static constexpr double most_share = 0.1, most_s = 1;
  static constexpr int most_still = 1000;  // looks in which nothing moved: each is some operations apart

 private:
  ClockFault judge();

  Clock& clock_;
  Clock* const other_;
  double start_, last_, other_start_ = 0, other_last_ = 0;  // last_: other_last_ is when clock_ moved last
  int still_ = 0;
  ClockFault fault_ = ClockFault::none;
};

// "its clock (CLOCK_MONOTONIC) stands still"
std::string clock_fault_text(ClockFault fault);

}  // namespace mlc
