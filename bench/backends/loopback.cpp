#include "bench/backends/loopback.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "bench/backends/exchange.hpp"

namespace mlc {

namespace {

// A barrier that can be broken: ranks waiting in it are released with an exception when another rank fails.
class BreakableBarrier {
 public:
  explicit BreakableBarrier(int parties) : parties_(parties) {}

  void wait() {
    std::unique_lock lock(mutex_);
    if (broken_) throw BackendError("loopback: another rank stopped");
    const std::uint64_t generation = generation_;
    if (++waiting_ == parties_) {
      waiting_ = 0, ++generation_;
      all_.notify_all();
      return;
    }
    all_.wait(lock, [&] { return generation != generation_ || broken_; });
    if (generation == generation_) throw BackendError("loopback: another rank stopped");
  }

  void break_it() {
    const std::lock_guard lock(mutex_);
    broken_ = true;
    all_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable all_;
  const int parties_;
  int waiting_ = 0;
  std::uint64_t generation_ = 0;
  bool broken_ = false;
};

// What the ranks share: a slot each, read by the others between two barriers.
struct World {
  explicit World(int ranks) : barrier(ranks), messages(static_cast<std::size_t>(ranks)) {}
  BreakableBarrier barrier;
  std::vector<std::span<const std::byte>> messages;
};

class LoopbackControl final : public Control {
 public:
  LoopbackControl(World& world, int rank) : world_(world), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(world_.messages.size()); }
  void barrier() override { world_.barrier.wait(); }

  void broadcast(std::span<std::byte> bytes, int root) override {
    publish(bytes);
    if (rank_ != root) std::ranges::copy(world_.messages[static_cast<std::size_t>(root)], bytes.begin());
    barrier();
  }

  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) override {
    publish(mine);
    auto out = all.begin();
    for (const auto& message : world_.messages)
      out = std::ranges::copy(message, out).out;
    barrier();
  }

  void maximum(std::span<double> values) override {
    const std::vector<double> mine(values.begin(), values.end());
    publish(std::as_bytes(std::span(mine)));
    for (const auto& message : world_.messages)
      for (std::size_t i = 0; i < values.size(); ++i) {
        double theirs;
        std::memcpy(&theirs, message.data() + i * sizeof(double), sizeof theirs);
        values[i] = std::max(values[i], theirs);
      }
    barrier();
  }

 private:
  void publish(std::span<const std::byte> message) {
    world_.messages[static_cast<std::size_t>(rank_)] = message;
    barrier();
  }
  World& world_;
  int rank_;
};

class OneProcess final : public SharedMemory {
 public:
  std::uint64_t place_of(const void* at) const override { return reinterpret_cast<std::uintptr_t>(at); }
  const std::byte* at(std::uint64_t place) const override {
    return reinterpret_cast<const std::byte*>(place);
  }
};

}  // namespace

void run_loopback(int ranks, const std::function<void(Communicator&)>& body) {
  World world(ranks);
  std::mutex mutex;
  std::exception_ptr first;
  {
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < ranks; ++rank)
      threads.emplace_back([&, rank] {
        try {
          const auto communicator = make_exchange("loopback", std::make_unique<LoopbackControl>(world, rank),
                                                  make_host_memory(), std::make_unique<OneProcess>());
          body(*communicator);
        } catch (...) {
          const std::lock_guard lock(mutex);
          if (!first) first = std::current_exception();
          world.barrier.break_it();
        }
      });
  }
  if (first) std::rethrow_exception(first);
}

}  // namespace mlc
