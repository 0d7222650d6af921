// Latency: one message at a time, there and back.
#include <algorithm>
#include <atomic>
#include <stdexcept>

#include "bench/rdma/lane.hpp"
#include "bench/rdma/lane_idle.hpp"
#include "bench/stats/histogram.hpp"
#include "reports/record/text.hpp"

namespace mlc::rdma {

void Lane::finish_timing(std::vector<double> samples_us) {
  const auto found = latencies_of(samples_us);
  report_.latency_us = found.percentiles_us, report_.edges_us = found.edges_us, report_.counts = found.counts;
  report_.windows = samples_us.size(), report_.stop = "fixed";
}

namespace {

constexpr int latency_iterations = 1000;

// Iterations of a latency cell: untimed first, to fill caches and translation tables.
struct Rounds {
  int timed, warm;
  explicit Rounds(const Plan& plan)
      : timed(plan.iterations.value_or(latency_iterations)), warm(std::clamp(timed / 10, 1, 100)) {}
  int all() const { return timed + warm; }
};

// Throws when nothing has moved for too long, or nobody is there any more.
class Deadline {
 public:
  Deadline(const CellState& state, double timeout_s)
      : state_(state), timeout_s_(timeout_s), since_(now_s()) {}
  void moved(double now) { since_ = now; }
  void look() const {
    if (state_.abandon) throw std::runtime_error("given up: the other end is gone");
    if (now_s() - since_ > timeout_s_)
      throw std::runtime_error("no answer for " + shortest(timeout_s_) + " s");
  }

 private:
  const CellState& state_;
  double timeout_s_, since_;
};

}  // namespace

// Both ends write into each other's memory and wait for the last byte of what comes: half of there and back,
// as perftest measures it.
void Lane::ping_pong_by_memory(CellState& state) {
  const Rounds rounds(s_.plan);
  Deadline deadline(state, s_.plan.timeout_s);
  Idle idle(s_.wait == Wait::event ? Wait::yield : s_.wait);  // memory makes no event
  PairState& pair = pairs_.front();
  auto& mark = reinterpret_cast<unsigned char*>(memory_.source())[s_.bytes - 1];
  const volatile auto* arrived =
      reinterpret_cast<const volatile unsigned char*>(memory_.sink()) + s_.bytes - 1;
  std::vector<double> samples;
  samples.reserve(static_cast<std::size_t>(rounds.timed));
  const auto send = [&](int round) {
    while (pair.posted - pair.completed >= static_cast<std::uint64_t>(std::max(1, s_.plan.depth / 2)))
      if (take(0) == 0 && idle.once(*completions_)) deadline.look();
    mark = static_cast<unsigned char>(round + 1);
    std::atomic_thread_fence(std::memory_order_release);
    maybe_fail(1);
    post_one(pair, Verb::write, 0, inline_ > 0);
  };
  const auto await = [&](int round) {
    idle.reset();
    while (*arrived != static_cast<unsigned char>(round + 1))
      if (idle.once(*completions_)) (void)take(0), deadline.look();
    std::atomic_thread_fence(std::memory_order_acquire);
  };
  for (int round = 0; round < rounds.all(); ++round) {
    const double start = now_s();
    if (s_.initiates) send(round);
    await(round);
    if (!s_.initiates) send(round);
    const double end = now_s();
    if (s_.initiates && round >= rounds.warm) samples.push_back((end - start) * 1e6 / 2);
    deadline.moved(end);
    progress_.fetch_add(1, std::memory_order_relaxed);
  }
  while (pair.completed < pair.posted)
    if (take(0) == 0 && idle.once(*completions_)) deadline.look();
  if (s_.initiates) finish_timing(std::move(samples));
}

void Lane::ping_pong_by_sends(CellState& state) {
  const Rounds rounds(s_.plan);
  Deadline deadline(state, s_.plan.timeout_s);
  Idle idle(s_.wait);
  PairState& pair = pairs_.front();
  std::vector<double> samples;
  samples.reserve(static_cast<std::size_t>(rounds.timed));
  const auto await = [&](auto&& arrived) {
    idle.reset();
    while (!arrived())
      if (take(0) == 0 && idle.once(*completions_)) deadline.look();
  };
  for (int round = 0; round < rounds.all(); ++round) {
    const double start = now_s();
    const auto came = [&] { return received_ > static_cast<std::uint64_t>(round); };
    if (!s_.initiates) await(came);
    await([&] { return pair.posted - pair.completed < static_cast<std::uint64_t>(s_.plan.depth); });
    maybe_fail(1);
    post_one(pair, Verb::send, 0, inline_ > 0);
    if (s_.initiates) await(came);
    const double end = now_s();
    if (s_.initiates && round >= rounds.warm) samples.push_back((end - start) * 1e6 / 2);
    deadline.moved(end);
  }
  await([&] { return pair.completed == pair.posted; });
  if (s_.initiates) finish_timing(std::move(samples));
}

// A read is there and back by itself.
void Lane::read_by_read(CellState& state) {
  const Rounds rounds(s_.plan);
  Deadline deadline(state, s_.plan.timeout_s);
  Idle idle(s_.wait);
  PairState& pair = pairs_.front();
  std::vector<double> samples;
  samples.reserve(static_cast<std::size_t>(rounds.timed));
  for (int round = 0; round < rounds.all(); ++round) {
    const double start = now_s();
    maybe_fail(1);
    post_one(pair, Verb::read, 0, false);
    idle.reset();
    while (pair.completed < pair.posted)
      if (take(0) == 0 && idle.once(*completions_)) deadline.look();
    const double end = now_s();
    if (round >= rounds.warm) samples.push_back((end - start) * 1e6);
    deadline.moved(end);
  }
  finish_timing(std::move(samples));
}

}  // namespace mlc::rdma
