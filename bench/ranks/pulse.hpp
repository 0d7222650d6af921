// What one rank is doing, written by the thread that works and read by the one that watches.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

namespace mlc {

class Pulse {
 public:
  // A new phase, in words an operator understands: "allreduce 1 MiB out-of-place: timed iterations".
  void enter(std::string phase) {
    const std::lock_guard lock(mutex_);
    phase_ = std::move(phase);
    tick();
  }
  // Progress within the phase, once an operation and inside the time of it. Not an atomic addition: on x86
  // that waits for all stores before it. Should two threads tick at once, one count is lost, and nobody
  // minds.
  void tick() noexcept {
    sequence_.store(sequence_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  struct State {
    std::uint64_t sequence = 0;
    std::string phase;
  };
  State state() const {
    const std::lock_guard lock(mutex_);
    return {sequence_.load(std::memory_order_relaxed), phase_};
  }

 private:
  mutable std::mutex mutex_;
  std::string phase_ = "starting";
  std::atomic<std::uint64_t> sequence_{0};
};

}  // namespace mlc
