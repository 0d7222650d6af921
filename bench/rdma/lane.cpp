#include "bench/rdma/lane.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <numeric>
#include <random>
#include <stdexcept>
#include <thread>

#include "bench/rdma/lane_idle.hpp"
#include "reports/record/text.hpp"
#include "validators/host/numa.hpp"

namespace mlc::rdma {

namespace {

constexpr std::uint64_t cycled_bytes = 64 << 10;

std::uint64_t id_of(std::size_t pair, std::uint64_t low) {
  return static_cast<std::uint64_t>(pair) << 32 | low;
}

}  // namespace

Layout layout_of(const Plan& plan, std::uint64_t message_bytes) {
  Layout layout;
  layout.stride = (message_bytes + 63) / 64 * 64;  // a cache line of its own
  if (plan.mode != Mode::latency)
    layout.slots = static_cast<int>(
        std::clamp<std::uint64_t>(cycled_bytes / layout.stride, 1, static_cast<std::uint64_t>(plan.depth)));
  return layout;
}

Lane::Lane(Device& device, RailMemory& memory, int gid_index, LaneSettings settings)
    : memory_(memory),
      gid_index_(gid_index),
      s_(std::move(settings)),
      layout_(layout_of(s_.plan, s_.bytes)),
      gid_(device.gid(gid_index)),
      port_(device.port()),
      meter_(s_.plan.window_s, s_.plan.precision,
             s_.plan.mode == Mode::bandwidth && s_.bytes >= s_.plan.question_from ? s_.plan.question
                                                                                  : std::nullopt) {
  const Plan& plan = s_.plan;
  const int count = plan.mode == Mode::latency ? 1 : plan.pairs;
  // As many again as the sender may have under way, so that it never finds none while some are being posted
  // anew.
  if (plan.verb == Verb::send && s_.receives)
    receives_ = std::min(2 * plan.depth, std::max(port_.most_sends, 1));
  // Who only receives has nothing to send first; a ping-pong is over for both ends at the same time.
  sent_all_ = !s_.initiates && plan.mode != Mode::latency;
  settled_ = sent_all_.load();
  group_ = plan.moderation_for(s_.bytes), chain_length_ = std::min(plan.chain_for(), group_);
  inline_ = plan.inline_for(s_.bytes);
  completions_ = device.make_completions(count * (plan.depth + std::max(receives_, 1)));
  for (int i = 0; i < count; ++i) {
    PairState pair;
    const PairSettings wanted{plan.depth, std::max(receives_, 1), inline_};
    try {
      pair.pair = device.make_pair(*completions_, wanted);
    } catch (const VerbsError&) {
      // More inline data than the device takes: sent from the buffer instead, unless that was asked for.
      if (inline_ == 0 || plan.inline_bytes >= 0) throw;
      inline_ = 0;
      pair.pair = device.make_pair(*completions_, {plan.depth, std::max(receives_, 1), 0});
    }
    pair.pair->to_init();
    pairs_.push_back(std::move(pair));
  }
  chain_.resize(static_cast<std::size_t>(chain_length_));
}

LaneAddress Lane::address() {
  std::random_device random;
  LaneAddress address{.error = {},
                      .gid = gid_,
                      .lid = port_.lid,
                      .mtu = port_.active_mtu,
                      .reads = std::clamp(port_.most_reads, 1, 16),
                      .source = reinterpret_cast<std::uint64_t>(memory_.source()),
                      .sink = reinterpret_cast<std::uint64_t>(memory_.sink()),
                      .key = memory_.region().remote_key,
                      .pairs = {}};
  for (auto& pair : pairs_) {
    pair.sequence = static_cast<std::uint32_t>(random() & 0xffffff);
    address.pairs.push_back({pair.pair->number(), pair.sequence});
  }
  return address;
}

void Lane::connect(const LaneAddress& peer) {
  if (peer.pairs.size() != pairs_.size())
    throw VerbsError("the peer has " + std::to_string(peer.pairs.size()) +
                         " queue pairs where this end has " + std::to_string(pairs_.size()),
                     EPROTO);
  peer_ = peer;
  const int smaller = std::min(port_.active_mtu, peer.mtu);
  const int reads = std::min(std::clamp(port_.most_reads, 1, 16), std::max(peer.reads, 1));
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    PairState& pair = pairs_[i];
    pair.peer = peer.pairs[i];
    pair.pair->to_ready_to_receive({.number = pair.peer.number,
                                    .sequence = pair.peer.sequence,
                                    .gid = peer.gid,
                                    .lid = peer.lid,
                                    .gid_index = gid_index_,
                                    .mtu = s_.plan.mtu > 0 ? std::min(s_.plan.mtu, smaller) : smaller,
                                    .traffic_class = s_.plan.traffic_class,
                                    .reads = reads});
    pair.pair->to_ready_to_send(pair.sequence, reads);
    for (int k = 0; k < receives_; ++k)
      post_receive(i);
  }
}

void Lane::expect(std::vector<std::uint64_t> messages) {
  expected_each_ = std::move(messages);
  expected_ = static_cast<std::int64_t>(
      std::accumulate(expected_each_.begin(), expected_each_.end(), std::uint64_t{0}));
}

void Lane::maybe_fail(std::uint64_t messages) {
  if (!s_.fault) return;
  const Fault& fault = *s_.fault;
  s_.fault_record->sent = sent_;
  if (fault.kind == Fault::Kind::delay) {
    s_.fault_record->planted = true;
    std::this_thread::sleep_for(
        std::chrono::duration<double, std::micro>(fault.delay_us * static_cast<double>(messages)));
  }
  if (fault.kind == Fault::Kind::die && sent_ >= fault.after) std::raise(SIGKILL);
}

// The n-th message of a queue pair comes out of its n-th slot at the sender and goes into the same here.
void Lane::post_receive(std::size_t pair) {
  const std::uint64_t slot = pairs_[pair].receives++ % static_cast<std::uint64_t>(layout_.slots);
  pairs_[pair].pair->post(Receive{.id = id_of(pair, slot),
                                  .local = sink(pair, slot),
                                  .key = memory_.region().local_key,
                                  .bytes = static_cast<std::uint32_t>(s_.bytes)});
}

void Lane::post_one(PairState& pair, Verb verb, std::uint64_t slot, bool inlined) {
  const std::size_t index = static_cast<std::size_t>(&pair - pairs_.data());
  const std::uint64_t remote_base = verb == Verb::read ? peer_.source : peer_.sink;
  const bool reads = verb == Verb::read;
  chain_.front() = {
      .id = id_of(index, 1),
      .verb = verb,
      .local = reads ? sink(index, slot) : source(index, slot),
      .key = memory_.region().local_key,
      .bytes = static_cast<std::uint32_t>(s_.bytes),
      .remote = remote_base + (index * static_cast<std::uint64_t>(layout_.slots) + slot) * layout_.stride,
      .remote_key = peer_.key,
      .signalled = true,
      .inlined = inlined};
  pair.pair->post(std::span<const Work>(chain_.data(), 1));
  ++pair.posted, ++sent_;
}

// One group: the last message of it is signalled, and its completion stands for all of them. False when
// nothing may go out.
bool Lane::post_group(PairState& pair) {
  const std::uint64_t goal =
      s_.plan.iterations ? static_cast<std::uint64_t>(*s_.plan.iterations) : ~std::uint64_t{0};
  const auto group = std::min<std::uint64_t>(static_cast<std::uint64_t>(group_), goal - pair.posted);
  if (group == 0 || pair.posted - pair.completed + group > static_cast<std::uint64_t>(s_.plan.depth))
    return false;
  if (s_.fault && s_.fault->kind == Fault::Kind::hang && sent_ >= s_.fault->after) {
    s_.fault_record->planted = true;
    return false;
  }
  maybe_fail(group);
  const std::size_t index = static_cast<std::size_t>(&pair - pairs_.data());
  const bool reads = s_.plan.verb == Verb::read;
  const std::uint64_t remote_base = reads ? peer_.source : peer_.sink;
  for (std::uint64_t done = 0; done < group;) {
    const auto length = std::min<std::uint64_t>(static_cast<std::uint64_t>(chain_length_), group - done);
    for (std::uint64_t k = 0; k < length; ++k) {
      const std::uint64_t slot = (pair.posted + k) % static_cast<std::uint64_t>(layout_.slots);
      const std::uint64_t at = (index * static_cast<std::uint64_t>(layout_.slots) + slot) * layout_.stride;
      chain_[k] = {.id = id_of(index, group),
                   .verb = s_.plan.verb,
                   .local = (reads ? memory_.sink() : memory_.source()) + at,
                   .key = memory_.region().local_key,
                   .bytes = static_cast<std::uint32_t>(s_.bytes),
                   .remote = remote_base + at,
                   .remote_key = peer_.key,
                   .signalled = done + k + 1 == group,
                   .inlined = inline_ > 0};
    }
    pair.pair->post(std::span<const Work>(chain_.data(), length));
    pair.posted += length, done += length, sent_ += length;
  }
  return true;
}

std::size_t Lane::take(double now) {
  std::array<Completion, 64> done;
  const std::size_t count = completions_->poll(done);
  std::uint64_t messages = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const Completion& each = done[i];
    const auto index = static_cast<std::size_t>(each.id >> 32);
    if (each.status != 0)
      throw std::runtime_error((each.received ? "receive: " : std::string(to_string(s_.plan.verb)) + ": ") +
                               s_.status_text(each.status));
    if (index >= pairs_.size()) throw std::runtime_error("a completion of no queue pair of ours");
    PairState& pair = pairs_[index];
    if (each.received) {
      if (each.bytes != s_.bytes)
        throw std::runtime_error("receive: a message of " + std::to_string(each.bytes) + " bytes where " +
                                 std::to_string(s_.bytes) + " belong");
      ++pair.received, ++received_;
      post_receive(index);
    } else {
      pair.completed += each.id & 0xffffffff, messages += each.id & 0xffffffff;
    }
  }
  if (count > 0) {
    progress_.fetch_add(count, std::memory_order_relaxed);
    if (messages > 0 && !settled_) meter_.add(messages * s_.bytes, now);
  }
  return count;
}

void Lane::bandwidth(CellState& state) {
  const Plan& plan = s_.plan;
  const double most_seconds = meter_.asked() ? plan.seconds_question : plan.seconds;
  const double began = now_s();
  // A tenth of the time at most; where a threshold has twenty seconds, it still warms up for as long as
  // without one.
  const double warm_until = began + 0.1 * plan.seconds;
  // With traffic both ways each end must see the other's whole time: both measure for all of it, and go on a
  // little.
  const double tail = plan.both_directions ? 0.1 * plan.seconds : 0;
  const std::uint64_t goal =
      plan.iterations ? static_cast<std::uint64_t>(*plan.iterations) : ~std::uint64_t{0};
  if (plan.iterations) meter_.start(began);
  Idle idle(s_.wait);
  double last_move = began, timed_from = 0, settled_at = 0;
  const auto settle = [&](const char* why, double at) {
    report_.stop = why, settled_at = at;
    if (tail == 0) settled_ = true;
  };
  while (!state.abandon) {
    const bool stopping = state.stop.load(std::memory_order_relaxed);
    if (s_.initiates && !sent_all_) {
      if (!stopping)
        for (auto& pair : pairs_)
          while (post_group(pair)) {
          }
      const bool drained =
          std::ranges::all_of(pairs_, [](const auto& pair) { return pair.completed == pair.posted; });
      const bool all_sent =
          std::ranges::all_of(pairs_, [&](const auto& pair) { return pair.completed == goal; });
      if (all_sent || (stopping && drained)) {
        if (all_sent && settled_at == 0) settle("fixed", now_s());
        settled_ = true, sent_all_ = true;
      }
    }
    if ((!s_.initiates || sent_all_) &&
        (plan.verb != Verb::send || !s_.receives ||
         (expected_ >= 0 && received_ >= static_cast<std::uint64_t>(expected_))))
      return;
    double now = now_s();
    if (take(now) > 0) {
      idle.reset(), last_move = now;
      const bool measuring = s_.initiates && settled_at == 0 && !plan.iterations;
      if (measuring && !meter_.started()) {
        if (now >= warm_until) meter_.start(now), timed_from = now;
      } else if (measuring && meter_.decided() && !plan.both_directions) {
        settle(meter_.asked() ? "decided" : "precise", now);
      } else if (measuring && meter_.exhausted() && !plan.both_directions) {
        settle("batches", now);
      } else if (measuring && now - timed_from > most_seconds) {
        settle("time", now);
      }
      if (settled_at > 0 && now - settled_at >= tail) settled_ = true;
      continue;
    }
    if (!idle.once(*completions_)) continue;
    now = now_s();
    const bool waiting_for_peer = !s_.initiates && expected_ < 0;  // it may well measure something else first
    if (now - last_move > plan.timeout_s && !waiting_for_peer)
      throw std::runtime_error(s_.initiates && !sent_all_
                                   ? "no completion for " + shortest(plan.timeout_s) + " s"
                                   : "only " + std::to_string(received_) + " of " +
                                         std::to_string(expected_.load()) + " messages came");
  }
  throw std::runtime_error("given up: the other end is gone");
}

void Lane::run(CellState& state) noexcept {
  try {
    (void)run_on_node(s_.numa_node);
    if (s_.plan.mode != Mode::latency)
      bandwidth(state);
    else if (s_.plan.verb == Verb::write)
      ping_pong_by_memory(state);
    else if (s_.plan.verb == Verb::send)
      ping_pong_by_sends(state);
    else if (s_.initiates)
      read_by_read(state);
  } catch (const std::exception& error) {
    failure_ = error.what();
  }
  settled_ = true, sent_all_ = true, ended_ = true;
}

LaneReport Lane::report() const {
  LaneReport report = report_;
  if (ended_) report.error = failure_;
  if (s_.initiates || s_.plan.mode == Mode::latency)
    for (const auto& pair : pairs_)
      report.sent.push_back(pair.posted);
  if (s_.initiates && s_.plan.mode != Mode::latency) {
    report.median_gbit_s = meter_.median_gbit_s(), report.mean_gbit_s = meter_.mean_gbit_s();
    report.ci_gbit_s = meter_.interval_gbit_s(), report.windows = meter_.windows();
    const Ruling ruling = meter_.ruling();
    report.answer = ruling.conclusion == Conclusion::at_least ? 1
                    : ruling.conclusion == Conclusion::below  ? -1
                                                              : 0;
    if (ruling.doubt != Doubt::none) report.doubt = to_string(ruling.doubt);
    report.observed_s = meter_.observed_s();
  }
  return report;
}

}  // namespace mlc::rdma
