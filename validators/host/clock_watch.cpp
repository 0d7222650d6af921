#include "validators/host/clock_watch.hpp"

#include <algorithm>

namespace mlc {

ClockWatch::ClockWatch(Clock& clock, Clock* other)
    : clock_(clock), other_(other), start_(clock.now()), last_(start_) {
  if (other_) other_start_ = other_last_ = other_->now();
}

ClockFault ClockWatch::judge() {
  const double before = clock_.now(), other = other_ ? other_->now() : 0, now = clock_.now();
  if (before < last_ || now < before) return ClockFault::goes_backwards;
  if (now == last_) {
    ++still_;
    const bool other_moved = other_ && other - other_last_ > most_s;
    return other_moved || still_ >= most_still ? ClockFault::stands_still : ClockFault::none;
  }
  last_ = now, other_last_ = other, still_ = 0;
  if (!other_) return ClockFault::none;
  // The other was read between two readings of this one, so that a pause in between is no disagreement.
  const double passed = other - other_start_, least = before - start_, most = now - start_;
  const double off = std::max(least - passed, passed - most);
  return off > most_s + most_share * std::max(passed, most) ? ClockFault::disagrees : ClockFault::none;
}

ClockFault ClockWatch::look() {
  if (fault_ == ClockFault::none) fault_ = judge();
  return fault_;
}

ClockFault ClockWatch::timed(double seconds) {
  if (fault_ == ClockFault::none && !(seconds > 0)) fault_ = ClockFault::stands_still;
  return fault_;
}

std::string clock_fault_text(ClockFault fault) {
  switch (fault) {
    case ClockFault::none:
      break;
    case ClockFault::stands_still:
      return "its clock (CLOCK_MONOTONIC) stands still, or nothing was done that takes time";
    case ClockFault::goes_backwards:
      return "its clock (CLOCK_MONOTONIC) goes backwards";
    case ClockFault::disagrees:
      return "its clocks (CLOCK_MONOTONIC and CLOCK_MONOTONIC_RAW) disagree about how long it took";
  }
  return {};
}

}  // namespace mlc
