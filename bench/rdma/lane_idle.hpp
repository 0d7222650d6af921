// What the loops of a lane have in common: the clock, and what to do while nothing completes.
#pragma once

#include <sched.h>

#include <chrono>

#include "bench/rdma/lane.hpp"

namespace mlc::rdma {

inline double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// What a thread does while nothing has completed. Spinning is right where each rail has a core; where threads
// share cores, it takes the time that the other ends, or soft RoCE itself, need.
class Lane::Idle {
 public:
  explicit Idle(Wait wait) : wait_(wait) {}
  void reset() { count_ = 0; }
  // True now and then: time to look at the clock.
  bool once(Completions& completions) {
    ++count_;
    if (wait_ == Wait::event && count_ > 4) {
      completions.wait(20);
      return true;
    }
    if (wait_ != Wait::spin && count_ > 4) ::sched_yield();
    return count_ % 256 == 0;
  }

 private:
  Wait wait_;
  std::uint64_t count_ = 0;
};

}  // namespace mlc::rdma
