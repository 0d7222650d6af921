#include "bench/rdma/session.hpp"

#include <algorithm>
#include <array>

#include "bench/rdma/failure.hpp"
#include "bench/rdma/part.hpp"
#include "bench/rdma/rail_memory.hpp"
#include "reports/record/text.hpp"
#include "validators/host/ipv4.hpp"

namespace mlc::rdma {

namespace {

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

std::string Session::never_planted() const {
  // One that killed its process is not asked any more.
  if (!settings_.fault || fault_record_.planted) return {};
  return never_planted_text(*settings_.fault, fault_record_.sent);
}

// One cell of every meeting of the round at the same time; the ends go from step to step together, those
// without a cell as well.
std::vector<std::vector<LaneResult>> Session::cell(const std::vector<Meet>& meets,
                                                   const std::vector<std::optional<Cell>>& cells) {
  Part part(*this, meets, cells);
  Said said;
  part.enter("creating queue pairs");
  part.open();
  part.enter("exchanging queue pairs");
  said.addresses = gather_text(control_, to_text(part.addresses()));
  part.enter("connecting queue pairs");
  part.connect(said.addresses);
  part.enter("waiting until both ends are ready");
  said.ready = gather_text(control_, to_text(part.ready()));
  part.leave_what_the_peer_left(said.ready);
  part.enter("transfer");
  said.reports = part.transfer();
  part.enter("verification");
  const auto checks = part.verify();
  part.enter("waiting for the other end's verification");
  said.checks = gather_text(control_, to_text(checks));

  std::vector<std::vector<LaneResult>> results(meets.size());
  for (std::size_t m = 0; m < meets.size(); ++m)
    if (cells[m]) results[m] = results_of(meets[m], *cells[m], said);
  return results;
}

// Every end reads what all said, of every meeting.
std::vector<LaneResult> Session::results_of(const Meet& meet, const Cell& what, const Said& said) const {
  const auto at = [](int rank) { return static_cast<std::size_t>(rank); };
  const std::array<int, 2> both{meet.ends.first, meet.ends.second};
  std::array<std::vector<LaneAddress>, 2> address;
  std::array<std::vector<LaneReport>, 2> was_ready, report;
  std::array<std::vector<LaneCheck>, 2> check;
  for (std::size_t end = 0; end < 2; ++end) {
    address[end] = lane_addresses_from(said.addresses[at(both[end])], what.lanes.size());
    was_ready[end] = lane_reports_from(said.ready[at(both[end])], what.lanes.size());
    report[end] = lane_reports_from(said.reports[at(both[end])], what.lanes.size());
    check[end] = lane_checks_from(said.checks[at(both[end])], what.lanes.size());
  }
  std::vector<LaneResult> results;
  for (std::size_t from = 0; from < 2; ++from) {
    if (what.direction == (from == 0 ? Direction::back : Direction::forth)) continue;
    const std::size_t to = 1 - from;
    for (std::size_t lane = 0; lane < what.lanes.size(); ++lane) {
      const RailPair pair = meet.lanes[what.lanes[lane]];
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
      for (const std::string* word :
           {&address[from][lane].error, &address[to][lane].error, &was_ready[from][lane].error,
            &was_ready[to][lane].error, &report[from][lane].error, &report[to][lane].error,
            &check[from][lane].error, &check[to][lane].error})
        if (result.error.empty()) result.error = *word;
      if (!result.error.empty()) {
        const auto& here = ends_[at(both[from])];
        const auto& there = ends_[at(both[to])];
        result.remedy = failure_remedy(result.error, {here.node, here.rails[at(result.rail)], there.node,
                                                      there.rails[at(result.peer_rail)]});
      }
      results.push_back(std::move(result));
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
