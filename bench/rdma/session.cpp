#include "bench/rdma/session.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "bench/rdma/failure.hpp"
#include "bench/rdma/rail_memory.hpp"
#include "reports/record/text.hpp"
#include "validators/host/ipv4.hpp"

namespace mlc::rdma {

namespace {

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::uint64_t memory_for(const Plan& plan) {
  std::uint64_t most = 0;
  for (std::uint64_t size : plan.sizes)
    most = std::max(most, layout_of(plan, size).bytes(plan.mode == Mode::latency ? 1 : plan.pairs));
  return (most + 4095) / 4096 * 4096;
}

std::vector<RailAddress> addresses_of(const NodeFacts& facts) {
  std::vector<RailAddress> addresses;
  for (const auto& rail : facts.rails)
    addresses.push_back({rail.index, parse_prefix(rail.network)});
  return addresses;
}

}  // namespace

struct Session::Mine {
  struct Open {
    std::unique_ptr<Device> device;
    std::unique_ptr<RailMemory> memory;
  };
  std::vector<Open> rails;
};

std::uint64_t Session::bytes_needed(const Plan& plan, std::size_t rails) {
  return 2 * memory_for(plan) * rails;
}

Session::Session(Control& control, Verbs& verbs, const Plan& plan, EndSettings settings, bool takes_part)
    : control_(control),
      verbs_(verbs),
      plan_(plan),
      settings_(std::move(settings)),
      mine_(std::make_unique<Mine>()) {
  NodeFacts facts{settings_.node, settings_.version, "host", {}};
  if (takes_part)
    for (auto& rail : settings_.rails) {
      Mine::Open open;
      try {
        if (rail.problem.empty()) {
          open.device = verbs_.open(rail.device);
          open.memory = plan_.memory == "gpu"
                            ? gpu_rail_memory(*open.device, rail.device, memory_for(plan_))
                            : host_rail_memory(*open.device, memory_for(plan_), rail.numa_node);
          facts.memory = open.memory->kind();
        }
      } catch (const VerbsError& error) {
        rail.problem = error.what();
      }
      facts.rails.push_back(rail);
      mine_->rails.push_back(std::move(open));
    }
  for (const auto& text : gather_text(control_, to_text(facts))) {
    ends_.push_back(node_facts_from(text));
    if (ends_.back().version != settings_.version)
      throw std::runtime_error(ends_.back().node + " runs mlc-bench " + printable(ends_.back().version, 40) +
                               ", this is " + settings_.version + ": run the same on both sides");
    if (!ends_.back().rails.empty()) participants_.push_back(static_cast<int>(ends_.size()) - 1);
  }
}

Session::~Session() = default;

LaneSettings Session::settings_for(const Cell& cell, bool first, const RailFacts& rail,
                                   std::size_t lanes) const {
  const bool initiates = cell.direction == Direction::both || (cell.direction == Direction::forth) == first;
  const bool passive_sink = cell.direction == Direction::both || !initiates;
  LaneSettings settings{.plan = plan_,
                        .bytes = cell.bytes,
                        .initiates = initiates,
                        .receives = passive_sink || (plan_.mode == Mode::latency && plan_.verb == Verb::send),
                        .numa_node = rail.numa_node,
                        .wait = settings_.wait,
                        .fault = {},
                        .status_text = [this](int status) { return verbs_.status_text(status); }};
  // Spinning is for those who have a core to themselves, with one left for the rest of the node.
  if (settings.wait == Wait::automatic)
    settings.wait = static_cast<int>(lanes) < settings_.cpus ? Wait::spin : Wait::yield;
  if (settings_.fault && settings_.fault->rank == rail.index) settings.fault = settings_.fault;
  return settings;
}

// Watches this end's threads. They stop together when each knows enough, so that what is measured together
// runs together.
void Session::drive(std::vector<std::unique_ptr<Lane>>& lanes, CellState& state, bool until_sent,
                    double most_s) {
  std::uint64_t seen = 0;
  const double began = now_s();
  double told = began;
  const double alive_every_s = std::min(1.0, plan_.timeout_s / 4);
  const auto all = [&](auto&& holds) {
    return std::ranges::all_of(lanes, [&](const auto& lane) { return !lane || holds(*lane); });
  };
  for (int pause_us = 20;; pause_us = std::min(pause_us * 2, 2000)) {
    if (all([](const Lane& lane) { return lane.settled(); })) state.stop = true;
    if (all([&](const Lane& lane) { return until_sent ? lane.sent_all() : lane.ended(); })) return;
    std::this_thread::sleep_for(std::chrono::microseconds(pause_us));
    const double now = now_s();
    if (now - began > most_s) state.stop = true;
    if (now - told < alive_every_s) continue;
    std::uint64_t progress = 0;
    for (const auto& lane : lanes)
      if (lane) progress += lane->progress();
    told = now;
    // The threads give up by themselves when nothing moves, and then the peer learns why; the watch sees to
    // one that is stuck inside a verb.
    if (settings_.alive) settings_.alive();
    if (progress != seen && settings_.pulse) settings_.pulse->tick();
    seen = progress;
  }
}

// One cell of every meeting of the round at the same time; the ends go from step to step together, those
// without a cell as well.
std::vector<std::vector<LaneResult>> Session::cell(const std::vector<Meet>& meets,
                                                   const std::vector<std::optional<Cell>>& cells) {
  const int me = control_.rank();
  std::size_t mine = meets.size();
  for (std::size_t i = 0; i < meets.size(); ++i)
    if (cells[i] && (meets[i].ends.first == me || meets[i].ends.second == me)) mine = i;
  const bool busy = mine < meets.size();
  const bool first = busy && meets[mine].ends.first == me;
  const int peer = !busy ? me : first ? meets[mine].ends.second : meets[mine].ends.first;
  const std::size_t count = busy ? cells[mine]->lanes.size() : 0;
  const auto positions = [&](std::size_t lane) {
    const RailPair pair = meets[mine].lanes[cells[mine]->lanes[lane]];
    return first ? pair : RailPair{pair.theirs, pair.mine};
  };
  const auto rail_of = [&](std::size_t lane) -> const RailFacts& {
    return ends_[static_cast<std::size_t>(me)].rails[static_cast<std::size_t>(positions(lane).mine)];
  };
  const auto ends_of = [&](std::size_t lane) {
    return Ends{
        settings_.node, rail_of(lane), ends_[static_cast<std::size_t>(peer)].node,
        ends_[static_cast<std::size_t>(peer)].rails[static_cast<std::size_t>(positions(lane).theirs)]};
  };
  const std::string phase = busy ? std::string(to_string(plan_.verb)) + " " +
                                       std::string(to_string(plan_.mode)) + " with " +
                                       ends_[static_cast<std::size_t>(peer)].node + ", " + cells[mine]->name()
                                 : "waiting for the other pairs of the round";
  const auto enter = [&](const char* step) {
    if (settings_.pulse) settings_.pulse->enter(phase + ": " + step);
  };

  enter("creating queue pairs");
  std::vector<std::unique_ptr<Lane>> lanes(count);
  std::vector<LaneAddress> addresses(count);
  for (std::size_t i = 0; i < count; ++i) {
    auto& open = mine_->rails[static_cast<std::size_t>(positions(i).mine)];
    try {
      if (!rail_of(i).problem.empty()) throw VerbsError(rail_of(i).problem, EIO);
      lanes[i] = std::make_unique<Lane>(*open.device, *open.memory, rail_of(i).gid_index,
                                        settings_for(*cells[mine], first, rail_of(i), count));
      addresses[i] = lanes[i]->address();
    } catch (const VerbsError& error) {
      addresses[i].error = failure_text(error.what(), ends_of(i));
      lanes[i].reset();
    }
  }

  enter("exchanging queue pairs");
  const auto all_addresses = gather_text(control_, to_text(addresses));
  enter("connecting queue pairs");
  std::vector<LaneReport> ready(count);
  std::vector<int> mtus(count);
  if (busy) {
    const auto theirs = lane_addresses_from(all_addresses[static_cast<std::size_t>(peer)], count);
    for (std::size_t i = 0; i < count; ++i) {
      ready[i].error = addresses[i].error;
      if (!lanes[i] || !theirs[i].error.empty()) {
        lanes[i].reset();
        continue;
      }
      const int smaller = std::min(addresses[i].mtu, theirs[i].mtu);
      ready[i].mtu = plan_.mtu > 0 ? std::min(plan_.mtu, smaller) : smaller;
      try {
        lanes[i]->prepare_data(first ? 0 : 1);
        lanes[i]->connect(theirs[i]);
      } catch (const VerbsError& error) {
        ready[i].error = failure_text(error.what(), ends_of(i));
        lanes[i].reset();
      }
    }
  }
  enter("waiting until both ends are ready");
  const auto all_ready = gather_text(control_, to_text(ready));
  if (busy) {
    const auto theirs = lane_reports_from(all_ready[static_cast<std::size_t>(peer)], count);
    for (std::size_t i = 0; i < count; ++i)
      if (!theirs[i].error.empty()) lanes[i].reset();
  }

  enter("transfer");
  if (busy && first && settings_.live) settings_.live(phase);
  std::vector<CounterReading> before(count);
  for (std::size_t i = 0; i < count; ++i)
    if (lanes[i]) before[i] = read_counters(settings_.files, rail_of(i).device, rail_of(i).netdev);
  CellState state;
  std::vector<LaneReport> reports(count);
  std::vector<LaneCheck> checks(count);
  std::vector<std::string> all_reports, all_checks;
  {
    struct Threads {
      CellState& state;
      std::vector<std::thread> running;
      ~Threads() {
        state.abandon = true;  // without effect on those that have ended
        for (auto& thread : running)
          thread.join();
      }
    } threads{state, {}};
    for (auto& lane : lanes)
      if (lane) threads.running.emplace_back([&state, each = lane.get()] { each->run(state); });
    const double most_s =
        plan_.iterations ? 1e9 : 1.5 * (plan_.question ? plan_.seconds_question : plan_.seconds) + 1;
    drive(lanes, state, true, most_s);
    for (std::size_t i = 0; i < count; ++i) {
      if (lanes[i]) reports[i] = lanes[i]->report();
      if (!reports[i].error.empty()) reports[i].error = failure_text(reports[i].error, ends_of(i));
    }

    enter("waiting for the other end's results");
    all_reports = gather_text(control_, to_text(reports));
    if (busy) {
      const auto theirs = lane_reports_from(all_reports[static_cast<std::size_t>(peer)], count);
      for (std::size_t i = 0; i < count; ++i)
        if (lanes[i])
          lanes[i]->expect(theirs[i].error.empty() ? theirs[i].sent : std::vector<std::uint64_t>(1, 0));
    }
    state.stop = true;
    drive(lanes, state, false, most_s);
  }

  enter("verification");
  for (std::size_t i = 0; i < count; ++i) {
    if (!lanes[i]) continue;
    checks[i] = lanes[i]->verify(first ? 1 : 0);
    if (!lanes[i]->failure().empty() && reports[i].error.empty())
      checks[i].error = failure_text(lanes[i]->failure(), ends_of(i));
    checks[i].counters =
        telling_deltas(before[i], read_counters(settings_.files, rail_of(i).device, rail_of(i).netdev));
  }
  enter("waiting for the other end's verification");
  all_checks = gather_text(control_, to_text(checks));
  lanes.clear();

  // Every end reads what all said, of every meeting.
  std::vector<std::vector<LaneResult>> results(meets.size());
  for (std::size_t m = 0; m < meets.size(); ++m) {
    if (!cells[m]) continue;
    const Cell& what = *cells[m];
    const auto at = [](int rank) { return static_cast<std::size_t>(rank); };
    const std::array<int, 2> both{meets[m].ends.first, meets[m].ends.second};
    std::array<std::vector<LaneAddress>, 2> address;
    std::array<std::vector<LaneReport>, 2> was_ready, report;
    std::array<std::vector<LaneCheck>, 2> check;
    for (std::size_t end = 0; end < 2; ++end) {
      address[end] = lane_addresses_from(all_addresses[at(both[end])], what.lanes.size());
      was_ready[end] = lane_reports_from(all_ready[at(both[end])], what.lanes.size());
      report[end] = lane_reports_from(all_reports[at(both[end])], what.lanes.size());
      check[end] = lane_checks_from(all_checks[at(both[end])], what.lanes.size());
    }
    for (std::size_t from = 0; from < 2; ++from) {
      if (what.direction == (from == 0 ? Direction::back : Direction::forth)) continue;
      const std::size_t to = 1 - from;
      for (std::size_t lane = 0; lane < what.lanes.size(); ++lane) {
        const RailPair pair = meets[m].lanes[what.lanes[lane]];
        const std::size_t receiver = plan_.verb == Verb::read ? from : to;
        LaneResult result{.from = both[from],
                          .to = both[to],
                          .rail = from == 0 ? pair.mine : pair.theirs,
                          .peer_rail = from == 0 ? pair.theirs : pair.mine,
                          .bytes = what.bytes,
                          .together = what.together,
                          .both_directions = what.direction == Direction::both,
                          .mtu = was_ready[from][lane].mtu,
                          .report = report[from][lane],
                          .error = {},
                          .remedy = {},
                          .wrong = check[receiver][lane].wrong,
                          .first_wrong = check[receiver][lane].first_wrong,
                          .from_counters = check[from][lane].counters,
                          .to_counters = check[to][lane].counters};
        if (plan_.mode == Mode::latency && plan_.verb != Verb::read && check[from][lane].wrong)
          result.wrong = result.wrong.value_or(0) + *check[from][lane].wrong;
        // The first step that failed, the initiator's word first.
        for (const std::string* said :
             {&address[from][lane].error, &address[to][lane].error, &was_ready[from][lane].error,
              &was_ready[to][lane].error, &report[from][lane].error, &report[to][lane].error,
              &check[from][lane].error, &check[to][lane].error})
          if (result.error.empty()) result.error = *said;
        if (!result.error.empty()) {
          const auto& here = ends_[at(both[from])];
          const auto& there = ends_[at(both[to])];
          result.remedy = failure_remedy(result.error, {here.node, here.rails[at(result.rail)], there.node,
                                                        there.rails[at(result.peer_rail)]});
        }
        results[m].push_back(std::move(result));
      }
    }
  }
  return results;
}

std::vector<Meet> Session::run(const std::function<bool(const LaneResult&, const Meet&)>& bad,
                               const std::function<void(const std::vector<Meet>&)>& so_far) {
  std::vector<Meet> finished;
  const auto rounds = circle_rounds(static_cast<int>(participants_.size()));
  for (std::size_t round = 0; round < rounds.size(); ++round) {
    std::vector<Meet> meets;
    std::vector<std::vector<Cell>> plans;
    std::size_t longest = 0;
    for (const Meeting& meeting : rounds[round]) {
      Meet meet{.round = static_cast<int>(round),
                .ends = {participants_[static_cast<std::size_t>(meeting.first)],
                         participants_[static_cast<std::size_t>(meeting.second)]},
                .lanes = {},
                .results = {},
                .problem = {}};
      const auto& one = ends_[static_cast<std::size_t>(meet.ends.first)];
      const auto& other = ends_[static_cast<std::size_t>(meet.ends.second)];
      meet.lanes = plan_.matrix ? all_pairs(one.rails.size(), other.rails.size())
                                : pair_rails(addresses_of(one), addresses_of(other));
      if (meet.lanes.empty()) meet.problem = "no rail of " + one.node + " has its like on " + other.node;
      plans.push_back(cells_of(plan_, meet.lanes.size()));
      if (meet.lanes.empty()) plans.back().clear();
      longest = std::max(longest, plans.back().size());
      meets.push_back(std::move(meet));
    }
    // By meeting, then by cell.
    std::vector<std::vector<std::vector<LaneResult>>> results(meets.size());
    for (std::size_t m = 0; m < meets.size(); ++m)
      results[m].resize(plans[m].size());
    const auto with_results = [&] {
      std::vector<Meet> filled = meets;
      for (std::size_t m = 0; m < meets.size(); ++m) {
        filled[m].results.clear();
        for (const auto& each : results[m])
          filled[m].results.insert(filled[m].results.end(), each.begin(), each.end());
      }
      return filled;
    };
    // What came out bad in any meeting is measured again before it is called bad.
    for (int attempt = 1; attempt <= plan_.retests + 1; ++attempt) {
      bool any = false;
      for (std::size_t k = 0; k < longest; ++k) {
        std::vector<std::optional<Cell>> cells(meets.size());
        for (std::size_t m = 0; m < meets.size(); ++m)
          if (k < plans[m].size() &&
              (attempt == 1 ||
               std::ranges::any_of(results[m][k], [&](const auto& result) { return bad(result, meets[m]); })))
            cells[m] = plans[m][k];
        if (std::ranges::none_of(cells, [](const auto& each) { return each.has_value(); })) continue;
        any = true;
        auto measured = cell(meets, cells);
        for (std::size_t m = 0; m < meets.size(); ++m) {
          if (!cells[m]) continue;
          results[m][k] = std::move(measured[m]);
          for (auto& result : results[m][k])
            result.attempts = attempt;
        }
        std::vector<Meet> all = finished;
        for (auto& meet : with_results())
          all.push_back(std::move(meet));
        so_far(all);
      }
      if (!any) break;
      meets = with_results();
    }
    std::ranges::move(meets, std::back_inserter(finished));
  }
  return finished;
}

}  // namespace mlc::rdma
