#include "bench/fleet/measurement/verbs_engine.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>
#include <thread>

#include "bench/rdma/rail_memory.hpp"
#include "reports/record/text.hpp"
#include "reports/record/whole_number.hpp"
#include "validators/host/numa.hpp"

namespace mlc::fleet {

namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

// The two ends begin a little apart: who has counted enough sends on for so long.
constexpr double tail_s = .3;
// Of the windows that an end must have had when the other one is gone.
constexpr double least_of_windows = .95;
constexpr int idle_turns = 200, idle_ms = 2, most_reads = 16;
constexpr std::uint64_t receive_bit = std::uint64_t{1} << 32;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct OpenRail {
  rdma::RailFacts facts;
  std::unique_ptr<rdma::Device> device;
  std::unique_ptr<rdma::RailMemory> memory;
  rdma::GidBytes gid{};
  rdma::PortFacts port;
  std::string problem;
};

struct VerbsEngine final : Engine {
  VerbsEngine(rdma::Verbs& with, std::vector<rdma::RailFacts> facts, VerbsSettings set)
      : verbs(with), settings(std::move(set)) {
    for (auto& rail : facts) {
      auto& one = open.emplace_back();
      one.facts = std::move(rail);
      one.problem = one.facts.problem.empty() ? prepare(one) : one.facts.problem;
      told.push_back({one.facts.device, one.facts.rate_gbit_s, one.problem});
    }
  }
  std::string prepare(OpenRail& rail) {
    try {
      rail.device = verbs.open(rail.facts.device);
      rail.port = rail.device->port(), rail.gid = rail.device->gid(rail.facts.gid_index);
      rail.memory = rdma::host_rail_memory(*rail.device, settings.message_bytes * std::uint64_t{queue_pairs},
                                           rail.facts.numa_node);
      return {};
    } catch (const std::exception& error) {
      return rail.facts.device + ": " + error.what();
    }
  }

  std::string_view name() const override { return "verbs"; }
  const std::vector<EngineRail>& rails() const override { return told; }
  std::unique_ptr<TestEnd> begin(const TestTerms& terms) override;

  rdma::Verbs& verbs;
  VerbsSettings settings;
  std::vector<OpenRail> open;
  std::vector<EngineRail> told;
};

// Windows of what has completed, from the end of the warm-up on.
struct Counted {
  Windows windows = Windows(windows_a_test);
  std::uint64_t arrivals = 0;
  void add(double at_window, std::size_t queue_pair, std::uint64_t bytes) {
    if (at_window < 0 || at_window >= static_cast<double>(windows.size())) return;
    windows[static_cast<std::size_t>(at_window)][queue_pair] += bytes;
    ++arrivals;
  }
};

// One rail's queue pairs of one test, each for both ways.
class RailEnd {
 public:
  RailEnd(OpenRail& rail, const rdma::Verbs& verbs, const VerbsSettings& settings, const TestTerms& terms)
      : rail_(rail), verbs_(verbs), settings_(settings), terms_(terms), problem_(rail.problem) {
    if (problem_.empty()) attempt([&] { make(); });
  }

  Json offer() const {
    if (!problem_.empty()) return {{"problem", problem_}};
    Json pairs = Json::array();
    for (const auto& pair : pairs_)
      pairs.push_back({{"number", pair.pair->number()}, {"sequence", pair.sequence}});
    return {{"gid", rail_.gid}, {"lid", rail_.port.lid}, {"mtu", rail_.port.active_mtu}, {"pairs", pairs}};
  }

  void connect(const Json& other) {
    if (other.contains("problem") && problem_.empty())
      problem_ = "the other end: " + printable(other.at("problem").get<std::string>(), 200);
    if (!problem_.empty()) return;
    const auto& pairs = other.at("pairs");
    if (!pairs.is_array() || pairs.size() != queue_pairs)
      throw std::runtime_error("the other end has another number of queue pairs");
    attempt([&] {
      for (std::size_t q = 0; q < queue_pairs; ++q) {
        pairs_[q].pair->to_ready_to_receive(
            {.number = whole_number<std::uint32_t>(pairs[q].at("number")),
             .sequence = whole_number<std::uint32_t>(pairs[q].at("sequence")) & 0xffffff,
             .gid = other.at("gid").get<rdma::GidBytes>(),
             .lid = whole_number<std::uint16_t>(other.at("lid")),
             .gid_index = rail_.facts.gid_index,
             .mtu = std::min(rail_.port.active_mtu, whole_number<int>(other.at("mtu"))),
             .reads = 1,
             .flow_label = flow_label_of(source_port_of(terms_, static_cast<int>(q)))});
        pairs_[q].pair->to_ready_to_send(pairs_[q].sequence, 1);
        for (int i = 0; i < receives(); ++i)
          post_receive(q);
      }
    });
  }

  RailSides measure(Clock::time_point start, const std::atomic<bool>& stop) {
    RailSides sides;
    std::string error = problem_;
    const auto before = rdma::read_counters(settings_.files, rail_.facts.device, rail_.facts.netdev);
    if (error.empty()) error = carry(start, stop);
    sides.grew = growth_of(rdma::telling_deltas(
        before, rdma::read_counters(settings_.files, rail_.facts.device, rail_.facts.netdev)));
    if (error.empty()) {
      sides.sent = side_of(sent_.windows, window_s());
      sides.received = side_of(received_.windows, window_s(), received_.arrivals);
    } else {
      sides.sent.error = sides.received.error = error;
    }
    return sides;
  }

 private:
  struct Pair {
    std::unique_ptr<rdma::QueuePair> pair;
    std::uint32_t sequence = 0;
    int outstanding = 0;
  };

  template <class Act>
  void attempt(Act act) {
    try {
      act();
    } catch (const rdma::VerbsError& error) {
      problem_ = rail_.facts.device + ": " + error.what();
    }
  }

  // Twice what the other end may have under way, so that it never finds none while some are posted anew.
  int receives() const { return std::min(2 * settings_.depth, std::max(rail_.port.most_sends, 1)); }
  double window_s() const { return terms_.test_s / windows_a_test; }

  void make() {
    std::random_device random;
    completions_ = rail_.device->make_completions(queue_pairs * (settings_.depth + receives()));
    for (int q = 0; q < queue_pairs; ++q) {
      Pair pair;
      pair.pair = rail_.device->make_pair(
          *completions_, {.depth = settings_.depth, .receives = receives(), .inline_bytes = 0});
      pair.sequence = static_cast<std::uint32_t>(random() & 0xffffff);
      pair.pair->to_init();
      pairs_.push_back(std::move(pair));
    }
  }

  // Messages of a queue pair share one slot: what arrives is counted and not looked at (rdma verifies data).
  void post_receive(std::size_t q) {
    pairs_[q].pair->post(rdma::Receive{.id = receive_bit | q,
                                       .local = rail_.memory->sink() + q * settings_.message_bytes,
                                       .key = rail_.memory->region().local_key,
                                       .bytes = settings_.message_bytes});
  }
  void post_sends(std::size_t q) {
    Pair& pair = pairs_[q];
    for (; pair.outstanding < settings_.depth; ++pair.outstanding) {
      const rdma::Work work{.id = q,
                            .verb = rdma::Verb::send,
                            .local = rail_.memory->source() + q * settings_.message_bytes,
                            .key = rail_.memory->region().local_key,
                            .bytes = settings_.message_bytes,
                            .signalled = true};
      pair.pair->post(std::span(&work, 1));
    }
  }

  // To the end of the windows and the tail; why it ended before them, or empty.
  std::string carry(Clock::time_point start, const std::atomic<bool>& stop) {
    (void)run_on_node(rail_.facts.numa_node);
    const double last = terms_.warm_up_s + terms_.test_s, until = last + tail_s;
    std::array<rdma::Completion, 64> done;
    try {
      for (int idle = 0; !stop;) {
        const double now = seconds_since(start);
        if (now >= until) return {};
        for (std::size_t q = 0; q < queue_pairs; ++q)
          post_sends(q);
        const std::size_t count = completions_->poll(done);
        for (std::size_t i = 0; i < count; ++i)
          if (!take(done[i], (now - terms_.warm_up_s) / window_s())) return gone(done[i], now);
        if (count > 0)
          idle = 0;
        else if (++idle > idle_turns)
          completions_->wait(idle_ms);
        else
          std::this_thread::yield();
      }
    } catch (const rdma::VerbsError& error) {
      return rail_.facts.device + ": " + error.what();
    }
    return "the test was told to end";
  }

  // False: it failed.
  bool take(const rdma::Completion& completion, double at_window) {
    const auto q = static_cast<std::size_t>(completion.id & (receive_bit - 1));
    if (completion.status != 0 || q >= pairs_.size()) return false;
    if ((completion.id & receive_bit) != 0) {
      received_.add(at_window, q, completion.bytes);
      post_receive(q);
    } else {
      sent_.add(at_window, q, settings_.message_bytes);
      --pairs_[q].outstanding;
    }
    return true;
  }

  // The other end has counted enough and is gone, where most windows are over here too.
  std::string gone(const rdma::Completion& completion, double now) {
    const double windows = (now - terms_.warm_up_s) / window_s();
    if (windows < least_of_windows * windows_a_test)
      return rail_.facts.device + ": " + ((completion.id & receive_bit) != 0 ? "receive: " : "send: ") +
             verbs_.status_text(completion.status);
    const auto whole = std::min(static_cast<std::size_t>(windows), sent_.windows.size());
    sent_.windows.resize(whole), received_.windows.resize(whole);
    return {};
  }

  OpenRail& rail_;
  const rdma::Verbs& verbs_;
  const VerbsSettings& settings_;
  TestTerms terms_;
  std::string problem_;
  std::unique_ptr<rdma::Completions> completions_;
  std::vector<Pair> pairs_;  // before what they complete into goes
  Counted sent_, received_;
};

class VerbsEnd final : public TestEnd {
 public:
  VerbsEnd(VerbsEngine& engine, const TestTerms& terms) {
    for (auto& rail : engine.open)
      rails_.push_back(std::make_unique<RailEnd>(rail, engine.verbs, engine.settings, terms));
  }

  Json offer() override {
    Json rails = Json::array();
    for (const auto& rail : rails_)
      rails.push_back(rail->offer());
    return rails;
  }

  void connect(const Json& offer) override {
    if (!offer.is_array() || offer.size() != rails_.size())
      throw std::runtime_error("the other end has another number of rails than this one's " +
                               std::to_string(rails_.size()));
    for (std::size_t rail = 0; rail < rails_.size(); ++rail)
      rails_[rail]->connect(offer[rail]);
  }

  std::vector<RailSides> measure(const std::function<bool()>& alive) override {
    std::vector<RailSides> sides(rails_.size());
    std::atomic<bool> stop{false};
    std::atomic<std::size_t> working{rails_.size()};
    const auto start = Clock::now();
    {
      std::vector<std::jthread> threads;
      for (std::size_t rail = 0; rail < rails_.size(); ++rail)
        threads.emplace_back([&, rail] { sides[rail] = rails_[rail]->measure(start, stop), --working; });
      while (working > 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        if (!alive()) stop = true;
      }
    }
    return sides;
  }

 private:
  std::vector<std::unique_ptr<RailEnd>> rails_;
};

std::unique_ptr<TestEnd> VerbsEngine::begin(const TestTerms& terms) {
  return std::make_unique<VerbsEnd>(*this, terms);
}

bool any_of(std::string_view name, std::initializer_list<std::string_view> parts) {
  return std::ranges::any_of(parts, [&](std::string_view part) { return name.find(part) != name.npos; });
}

}  // namespace

CounterGrowth growth_of(const std::vector<rdma::CounterDelta>& deltas) {
  CounterGrowth grew;
  for (const auto& delta : deltas) {
    if (delta.by == 0) continue;
    grew.port |= any_of(delta.name, {"symbol_err", "link_downed", "link_error_recovery", "port_rcv_errors",
                                     "rx_crc_errors", "icrc", "discards_phy"});
    grew.transport |= any_of(delta.name, {"out_of_seq", "packet_seq_err", "rcvd_seq_err", "ack_timeout",
                                          "duplicate_request", "completer_retry"});
    grew.pause_sent |=
        delta.name.find("tx_prio") != std::string::npos && delta.name.find("pause") != std::string::npos;
  }
  return grew;
}

std::unique_ptr<Engine> verbs_engine(rdma::Verbs& verbs, std::vector<rdma::RailFacts> rails,
                                     VerbsSettings settings) {
  return std::make_unique<VerbsEngine>(verbs, std::move(rails), std::move(settings));
}

}  // namespace mlc::fleet
