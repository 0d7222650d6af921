#include "bench/backends/loopback.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

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
  explicit World(int ranks)
      : barrier(ranks), calls(static_cast<std::size_t>(ranks)), messages(static_cast<std::size_t>(ranks)) {}
  BreakableBarrier barrier;
  std::vector<Call> calls;
  std::vector<std::span<const std::byte>> messages;
};

class LoopbackControl final : public Control {
 public:
  LoopbackControl(World& world, int rank) : world_(world), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(world_.calls.size()); }
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

class Loopback final : public Communicator {
 public:
  Loopback(World& world, int rank) : world_(world), control_(world, rank), memory_(make_host_memory()) {}
  std::string_view backend() const override { return "loopback"; }
  Control& control() override { return control_; }
  Memory& memory() override { return *memory_; }
  std::string unsupported(Dtype, Redop) const override { return {}; }

  void all_reduce(const Call& call) override {
    exchange(call, call.count, [&] { reduce_range(0); });
  }
  void reduce(const Call& call) override {
    exchange(call, control_.rank() == call.root ? call.count : 0, [&] { reduce_range(0); });
  }
  void reduce_scatter(const Call& call) override {
    exchange(call, call.count, [&] { reduce_range(call.count * control_.rank()); });
  }
  void all_gather(const Call& call) override {
    exchange(call, call.count * control_.size(), [&] { take_all(0); });
  }
  void gather(const Call& call) override {
    exchange(call, control_.rank() == call.root ? call.count * control_.size() : 0, [&] { take_all(0); });
  }
  void all_to_all(const Call& call) override {
    exchange(call, call.count * control_.size(), [&] { take_all(call.count * control_.rank()); });
  }
  void broadcast(const Call& call) override {
    exchange(call, call.count, [&] { take(call.root, 0, 0); });
  }
  void scatter(const Call& call) override {
    exchange(call, call.count, [&] { take(call.root, call.count * control_.rank(), 0); });
  }
  void send_recv(const Call& call) override {
    exchange(call, call.count,
             [&] { take((control_.rank() + control_.size() - 1) % control_.size(), 0, 0); });
  }

 private:
  // Shows this rank's call to the others, builds the result from theirs in scratch memory, and stores it once
  // nobody reads any more: so in place needs no case of its own.
  template <class Build>
  void exchange(const Call& call, std::uint64_t result_count, Build&& build) {
    call_ = call, width_ = static_cast<std::uint64_t>(width_of(call.dtype));
    world_.calls[static_cast<std::size_t>(control_.rank())] = call;
    control_.barrier();
    scratch_.resize(result_count * width_);
    if (result_count > 0) build();
    control_.barrier();
    if (result_count > 0) std::memcpy(call.recv, scratch_.data(), scratch_.size());
  }

  const std::byte* sent_by(int rank, std::uint64_t element) const {
    return static_cast<const std::byte*>(world_.calls[static_cast<std::size_t>(rank)].send) +
           element * width_;
  }
  // One chunk of call_.count elements of `rank`, from `element` of its send buffer, to chunk `at` of the
  // result.
  void take(int rank, std::uint64_t element, std::uint64_t at) {
    std::memcpy(scratch_.data() + at * call_.count * width_, sent_by(rank, element), call_.count * width_);
  }
  void take_all(std::uint64_t element) {
    for (int rank = 0; rank < control_.size(); ++rank)
      take(rank, element, static_cast<std::uint64_t>(rank));
  }
  void reduce_range(std::uint64_t element) {
    take(0, element, 0);
    for (int rank = 1; rank < control_.size(); ++rank)
      reduce_into(scratch_.data(), sent_by(rank, element), call_.count, call_.dtype, call_.redop);
    if (call_.redop == Redop::avg) divide(scratch_.data(), call_.count, call_.dtype, control_.size());
  }

  World& world_;
  LoopbackControl control_;
  std::unique_ptr<Memory> memory_;
  Call call_;
  std::uint64_t width_ = 1;
  std::vector<std::byte> scratch_;
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
          Loopback communicator(world, rank);
          body(communicator);
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
