#include "bench/rdma/judge.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "bench/rdma/rates.hpp"
#include "reports/record/text.hpp"

namespace mlc::rdma {

namespace {

const NodeFacts& end_of(const std::vector<NodeFacts>& ends, int rank) {
  return ends[static_cast<std::size_t>(rank)];
}
const RailFacts& rail_of(const std::vector<NodeFacts>& ends, int rank, int rail) {
  return end_of(ends, rank).rails[static_cast<std::size_t>(rail)];
}

double target_of(const LaneResult& result, const Bounds& bounds, const std::vector<NodeFacts>& ends) {
  if (bounds.rail_gbit_s > 0) return bounds.rail_gbit_s;
  return std::min(rail_of(ends, result.from, result.rail).rate_gbit_s,
                  rail_of(ends, result.to, result.peer_rail).rate_gbit_s);
}

bool alike(const LaneResult& a, const LaneResult& b) {
  return std::tie(a.from, a.to, a.bytes, a.together, a.both_directions) ==
         std::tie(b.from, b.to, b.bytes, b.together, b.both_directions);
}

std::optional<double> share_of_siblings(const LaneResult& result, const Meet& meet) {
  std::vector<double> rates;
  std::size_t own = 0;
  for (const auto& other : meet.results) {
    if (!alike(other, result) || !other.error.empty()) continue;
    if (other.rail == result.rail && other.peer_rail == result.peer_rail) own = rates.size();
    rates.push_back(other.report.median_gbit_s);
  }
  return own < rates.size() ? over_siblings(rates)[own] : std::nullopt;
}

std::string rate_text(double gbit_s) { return fixed(gbit_s, gbit_s < 10 ? 3 : 2) + " Gbit/s"; }

// What keeps a rail's question open, or what else than its median it failed by.
std::string open_question(const LaneReport& report, double bound) {
  const std::string value = rate_text(report.median_gbit_s) + " against " + rate_text(bound);
  const std::string& doubt = report.doubt;
  if (doubt == to_string(Doubt::clock))
    return value + ": the clock cannot be trusted (chronyc tracking, dmesg)";
  if (doubt == to_string(Doubt::too_short))
    return value + ": observed for " + time_text(report.observed_s * 1e6) +
           ", less than admission asks for; raise --max-time";
  if (doubt == to_string(Doubt::stalls) || doubt == to_string(Doubt::stall))
    return value + ", but it stalls: " + rate_text(report.mean_gbit_s) + " over all of the time";
  if (doubt == to_string(Doubt::end_below) || doubt == to_string(Doubt::falling))
    return value + ", but it falls with time: look for heat (mlc-bench validate, the optics' temperature)";
  return value + ": not decided after " + std::to_string(report.windows) +
         " windows; too near the bound or too noisy";
}

std::string under(double value, double bound) {
  return percent_text(1 - value / bound) + " under " + rate_text(bound);
}

}  // namespace

Judged judge(const LaneResult& result, const Meet& meet, const Plan& plan, const Bounds& bounds) {
  Judged judged;
  if (!result.error.empty()) return {Status::fail, result.error, "a working path", {}};
  std::vector<std::string> failed, undecided, asked;
  if (result.wrong.value_or(0) > 0) {
    failed.push_back(std::to_string(*result.wrong) + " wrong elements, first in " + result.first_wrong);
    asked.emplace_back("every byte as it was sent");
  }
  const bool of_size = result.bytes >= bounds.from_bytes;
  if (plan.mode == Mode::bandwidth && of_size) {
    judged.over_siblings = share_of_siblings(result, meet);
    const double rate = result.report.median_gbit_s;
    if (plan.question && plan.question->gbit_s > 0) {
      const double bound = plan.question->gbit_s;
      asked.push_back("at least " + rate_text(bound));
      // With a fixed number of messages the test may not have come to an answer: the median alone decides
      // nothing.
      if (result.report.answer < 0)
        failed.push_back(result.report.doubt.empty() ? rate_text(rate) + ", " + under(rate, bound)
                                                     : open_question(result.report, bound));
      else if (result.report.answer == 0)
        undecided.push_back(open_question(result.report, bound));
    }
    if (bounds.siblings_at_least > 0 && judged.over_siblings) {
      asked.push_back("at least " + percent_text(bounds.siblings_at_least) + " of its siblings' median");
      if (*judged.over_siblings < bounds.siblings_at_least)
        failed.push_back(rate_text(rate) + " is " + percent_text(*judged.over_siblings) +
                         " of the median of its sibling rails");
    }
  }
  if (plan.mode == Mode::latency && bounds.latency_us && !result.report.latency_us.empty()) {
    asked.push_back("p50 at most " + time_text(*bounds.latency_us));
    if (result.report.latency_us[0] > *bounds.latency_us)
      failed.push_back("p50 " + time_text(result.report.latency_us[0]) + ", over " +
                       time_text(*bounds.latency_us));
  }
  judged.status = !failed.empty()      ? Status::fail
                  : !undecided.empty() ? Status::unknown
                  : asked.empty()      ? Status::unknown
                                       : Status::pass;
  judged.why = join(failed.empty() ? undecided : failed, "; ");
  judged.expected = join(asked, ", ");
  return judged;
}

bool calls_for_retest(const LaneResult& result, const Meet& meet, const Plan& plan, const Bounds& bounds) {
  return judge(result, meet, plan, bounds).status == Status::fail;
}

namespace {

// What the counters say of a bad result, or what to do where they say nothing.
std::string remedy_for(const LaneResult& result, const Plan& plan, const std::vector<NodeFacts>& ends) {
  if (!result.remedy.empty()) return result.remedy;
  const std::string here = explain(result.from_counters), there = explain(result.to_counters);
  std::string text;
  if (!here.empty()) text += "counted on " + end_of(ends, result.from).node + ": " + here;
  if (!there.empty())
    text += (text.empty() ? "" : "; ") + ("counted on " + end_of(ends, result.to).node + ": " + there);
  if (result.wrong.value_or(0) > 0)
    return text + (text.empty() ? "" : "; ") +
           "data was changed on the way: exchange NIC, cable and memory in turn; dmesg for PCIe and ECC "
           "errors";
  if (plan.mode == Mode::latency) return text;
  if (text.empty())
    return "no error counter moved, so nothing was lost: look for a shaper (tc qdisc, VF max_rate), a narrow "
           "PCIe link "
           "(mlc-bench validate pci.link), a wrong MTU (rdma.mtu), a busy CPU on the NIC's NUMA node";
  return text + "; compare with the switch port's counters, then the cable and optics";
}

std::string subject_of(const LaneResult& result, const std::vector<NodeFacts>& ends) {
  const auto& from = rail_of(ends, result.from, result.rail);
  const auto& to = rail_of(ends, result.to, result.peer_rail);
  std::string text =
      end_of(ends, result.from).node + " " + from.name() + " to " + end_of(ends, result.to).node;
  if (from.index != to.index) text += " rail " + std::to_string(to.index);
  return text;
}

std::string observed_of(const LaneResult& result, const Judged& judged, const Plan& plan, double ceiling) {
  std::string text;
  if (!judged.why.empty() && judged.status != Status::pass) {
    text = judged.why;
  } else if (plan.mode == Mode::latency) {
    text =
        result.report.latency_us.empty() ? "not measured" : "p50 " + time_text(result.report.latency_us[0]);
  } else {
    text = rate_text(result.report.median_gbit_s);
    if (ceiling > 0)
      text += ", " + percent_text(result.report.median_gbit_s / ceiling) + " of what MTU " +
              std::to_string(result.mtu) + " allows";
  }
  text += " (" + std::string(to_string(plan.verb)) + " " + bytes_text(result.bytes) +
          (result.both_directions ? ", both ways" : "") + (result.together ? ", all rails together" : "") +
          ")";
  return text;
}

RailResult rail_result(const LaneResult& result, const Judged& judged, const Plan& plan, const Bounds& bounds,
                       const std::vector<NodeFacts>& ends) {
  const auto& from = rail_of(ends, result.from, result.rail);
  const auto& to = rail_of(ends, result.to, result.peer_rail);
  RailResult rail;
  rail.node = end_of(ends, result.from).node, rail.rail = from.index, rail.device = from.device,
  rail.netdev = from.netdev;
  rail.peer = end_of(ends, result.to).node, rail.peer_rail = to.index, rail.peer_device = to.device;
  if (result.from != result.to && rail.peer == rail.node) rail.peer.clear();  // looped back
  rail.operation = to_string(plan.verb), rail.bytes = result.bytes;
  rail.phase = result.together ? "together" : "solo", rail.both_directions = result.both_directions;
  rail.gbit_s = result.report.median_gbit_s, rail.mean_gbit_s = result.report.mean_gbit_s;
  rail.ci_gbit_s = result.report.ci_gbit_s;
  rail.target_gbit_s = target_of(result, bounds, ends);
  if (result.mtu > 0 && rail.target_gbit_s > 0)
    rail.ceiling_gbit_s = ceiling_gbit_s(rail.target_gbit_s, result.mtu, result.bytes);
  rail.over_siblings = judged.over_siblings;
  if (plan.mode != Mode::latency && result.error.empty())
    rail.messages_per_s = result.report.mean_gbit_s * 1e9 / 8 / static_cast<double>(result.bytes);
  if (const auto& us = result.report.latency_us; !us.empty())
    rail.p50_us = us[0], rail.p90_us = us[1], rail.p99_us = us[2], rail.p999_us = us[3];
  rail.wrong = result.wrong, rail.memory = end_of(ends, result.from).memory, rail.attempts = result.attempts;
  rail.status = judged.status, rail.why = judged.why;
  for (const auto& delta : result.from_counters)
    rail.counters.push_back({"sender", delta.name, delta.by});
  for (const auto& delta : result.to_counters)
    rail.counters.push_back({"receiver", delta.name, delta.by});
  return rail;
}

// One finding for each rail and direction: the worst of its sizes and phases, and of equals the first.
void add_findings(Report& report, const std::vector<Meet>& meets, const Plan& plan, const Bounds& bounds,
                  const std::vector<NodeFacts>& ends) {
  const std::string check = plan.mode == Mode::latency ? "rdma.latency" : "rdma.bandwidth";
  for (const auto& meet : meets) {
    std::vector<std::pair<std::string, Finding>> found;  // by subject, in order
    for (const auto& result : meet.results) {
      const Judged judged = judge(result, meet, plan, bounds);
      const double target = target_of(result, bounds, ends);
      const double ceiling = result.mtu > 0 ? ceiling_gbit_s(target, result.mtu, result.bytes) : 0;
      Finding finding{
          check,
          subject_of(result, ends),
          judged.status,
          observed_of(result, judged, plan, ceiling),
          judged.expected,
          "mlc-bench rdma, " + std::to_string(result.report.windows) +
              (plan.mode == Mode::latency ? " iterations" : " windows") +
              (result.attempts > 1 ? ", measured " + std::to_string(result.attempts) + " times" : "") +
              "; counters of both ports",
          ""};
      // Data that arrived and was not judged otherwise is a pass of what was asked: that it arrives.
      if (judged.status == Status::unknown && judged.why.empty()) finding.status = Status::pass;
      if (finding.status == Status::pass && result.attempts > 1) {
        finding.status = Status::warn;
        finding.observed += "; bad when first measured, so intermittent";
      }
      if (finding.status != Status::pass) finding.remedy = remedy_for(result, plan, ends);
      const auto known =
          std::ranges::find(found, finding.subject, [](const auto& entry) { return entry.first; });
      if (known == found.end())
        found.emplace_back(finding.subject, finding);
      else if (severity(finding.status) > severity(known->second.status))
        known->second = finding;
    }
    for (auto& [subject, finding] : found)
      report.findings.push_back(std::move(finding));
    if (!meet.problem.empty())
      report.findings.push_back(
          {check, end_of(ends, meet.ends.first).node + " and " + end_of(ends, meet.ends.second).node,
           Status::fail, meet.problem, "rails with the same number or subnet",
           "the rails that both nodes told of",
           "mlc-bench validate pci.inventory net.rail-prefixes on both"});
    // A rail that nobody met was not tested.
    for (const int rank : {meet.ends.first, meet.ends.second})
      for (std::size_t rail = 0;
           !plan.chosen && meet.problem.empty() && rail < end_of(ends, rank).rails.size(); ++rail) {
        const bool met = std::ranges::any_of(meet.lanes, [&](const RailPair& pair) {
          return static_cast<std::size_t>(rank == meet.ends.first ? pair.mine : pair.theirs) == rail;
        });
        const int peer = rank == meet.ends.first ? meet.ends.second : meet.ends.first;
        if (!met)
          report.findings.push_back({check,
                                     end_of(ends, rank).node + " " + end_of(ends, rank).rails[rail].name(),
                                     Status::fail, end_of(ends, peer).node + " has no rail for it",
                                     "the same rails on both nodes", "the rails that both nodes told of",
                                     "mlc-bench validate pci.inventory net.rail-prefixes on both"});
      }
  }
}

void add_sums(Report& report, const Meet& meet, const Plan& plan, const Bounds& bounds,
              const std::vector<NodeFacts>& ends) {
  if (plan.mode != Mode::bandwidth || plan.matrix) return;
  std::map<std::tuple<std::uint64_t, int, bool>,
           std::pair<std::vector<const LaneResult*>, std::vector<const LaneResult*>>>
      groups;
  for (const auto& result : meet.results) {
    auto& group = groups[{result.bytes, result.from, result.both_directions}];
    (result.together ? group.second : group.first).push_back(&result);
  }
  for (const auto& [key, group] : groups) {
    const auto& [solo, together] = group;
    if (together.empty()) continue;
    const auto sum = [&](const std::vector<const LaneResult*>& list) -> std::optional<double> {
      if (list.size() != meet.lanes.size()) return std::nullopt;
      double all = 0;
      for (const auto* each : list) {
        if (!each->error.empty()) return std::nullopt;
        all += each->report.median_gbit_s;
      }
      return all;
    };
    const LaneResult& any = *together.front();
    RailSum total;
    total.node = end_of(ends, any.from).node, total.peer = end_of(ends, any.to).node;
    if (total.peer == total.node) total.peer.clear();
    total.operation = to_string(plan.verb), total.bytes = any.bytes,
    total.both_directions = any.both_directions;
    total.rails = static_cast<int>(meet.lanes.size());
    total.solo_gbit_s = sum(solo), total.together_gbit_s = sum(together);
    for (const auto* each : together) {
      const double target = target_of(*each, bounds, ends);
      total.target_gbit_s += target;
      if (each->mtu > 0) total.ceiling_gbit_s += ceiling_gbit_s(target, each->mtu, each->bytes);
    }
    // Who asks for one of the two alone does not ask how they compare.
    if (plan.solo && bounds.together_at_least > 0 && any.bytes >= bounds.from_bytes) {
      if (total.solo_gbit_s && total.together_gbit_s) {
        const double share = *total.together_gbit_s / *total.solo_gbit_s;
        total.status = share >= bounds.together_at_least ? Status::pass : Status::fail;
        if (total.status == Status::fail)
          total.why = "all rails together carry " + percent_text(share) + " of what they carry one by one";
      }
      report.findings.push_back(
          {"rdma.sum", total.node + (total.peer.empty() ? "" : " to " + total.peer), total.status,
           total.status == Status::fail ? total.why
           : total.status == Status::unknown
               ? "a rail is missing from the sum, or they were not measured alone"
               : rate_text(*total.together_gbit_s) + " together, " + rate_text(*total.solo_gbit_s) +
                     " one by one",
           "at least " + percent_text(bounds.together_at_least), "mlc-bench rdma, " + bytes_text(any.bytes),
           total.status == Status::pass
               ? ""
               : "the rails share something narrower than themselves: a PCIe switch or root port "
                 "(mlc-bench validate pci.link pci.affinity), a memory channel, the cores that "
                 "drive them"});
    }
    report.figures.rail_sums.push_back(std::move(total));
  }
}

// Rails of one node against rails of another, one way, at the largest size.
void add_rail_matrix(Report& report, const Meet& meet, const Plan& plan, const Bounds& bounds,
                     const std::vector<NodeFacts>& ends) {
  const std::uint64_t largest = *std::ranges::max_element(plan.sizes);
  for (const auto& [from, to] :
       {std::pair{meet.ends.first, meet.ends.second}, std::pair{meet.ends.second, meet.ends.first}}) {
    Matrix matrix{.kind = "rail",
                  .title = "Rails of " + end_of(ends, from).node + " to rails of " + end_of(ends, to).node +
                           ", " + std::string(to_string(plan.verb)) + " " + bytes_text(largest),
                  .unit = plan.mode == Mode::latency ? "us" : "gbit_s",
                  .rows = {},
                  .columns = {},
                  .values = {},
                  .culprits = {}};
    for (const auto& rail : end_of(ends, from).rails)
      matrix.rows.push_back(rail.name());
    for (const auto& rail : end_of(ends, to).rails)
      matrix.columns.push_back(rail.name());
    matrix.values.resize(matrix.rows.size() * matrix.columns.size());
    bool any = false;
    for (const auto& result : meet.results) {
      if (result.from != from || result.to != to || result.bytes != largest || result.together) continue;
      any = true;
      const auto row = static_cast<std::size_t>(result.rail),
                 column = static_cast<std::size_t>(result.peer_rail);
      const Judged judged = judge(result, meet, plan, bounds);
      if (result.error.empty())
        matrix.values[row * matrix.columns.size() + column] =
            plan.mode == Mode::latency ? (result.report.latency_us.empty() ? 0 : result.report.latency_us[0])
                                       : result.report.median_gbit_s;
      if (judged.status == Status::fail) matrix.culprits.push_back({row, column, false, false, judged.why});
    }
    if (any) report.figures.matrices.push_back(std::move(matrix));
  }
}

// Node against node, all rails, at the largest size: for more than one pair.
void add_node_matrix(Report& report, const std::vector<Meet>& meets, const Plan& plan,
                     const std::vector<NodeFacts>& ends) {
  if (meets.size() < 2 || plan.mode == Mode::latency) return;
  std::vector<int> ranks;
  for (const auto& meet : meets)
    for (int rank : {meet.ends.first, meet.ends.second})
      if (std::ranges::find(ranks, rank) == ranks.end()) ranks.push_back(rank);
  std::ranges::sort(ranks);
  const std::uint64_t largest = *std::ranges::max_element(plan.sizes);
  const bool together = std::ranges::any_of(meets, [](const Meet& meet) {
    return std::ranges::any_of(meet.results, [](const LaneResult& result) { return result.together; });
  });
  Matrix matrix{.kind = "node_pair",
                .title = std::string(to_string(plan.verb)) + " " + bytes_text(largest) + " between nodes, " +
                         (together ? "all rails together" : "sum of the rails one by one"),
                .unit = "gbit_s",
                .rows = {},
                .columns = {},
                .values = std::vector<std::optional<double>>(ranks.size() * ranks.size()),
                .culprits = {}};
  for (int rank : ranks)
    matrix.rows.push_back(end_of(ends, rank).node);
  matrix.columns = matrix.rows;
  const auto place = [&](int rank) {
    return static_cast<std::size_t>(std::ranges::find(ranks, rank) - ranks.begin());
  };
  for (const auto& meet : meets)
    for (const auto& result : meet.results) {
      if (result.bytes != largest || result.together != together) continue;
      const std::size_t row = place(result.from), column = place(result.to);
      auto& value = matrix.values[row * ranks.size() + column];
      if (result.error.empty())
        value = value.value_or(0) + result.report.median_gbit_s;
      else
        matrix.culprits.push_back({row, column, false, false, result.error});
    }
  report.figures.matrices.push_back(std::move(matrix));
}

}  // namespace

void write_to_report(Report& report, const std::vector<Meet>& meets, const Plan& plan, const Bounds& bounds,
                     const std::vector<NodeFacts>& ends) {
  report.figures.rails.clear(), report.figures.rail_sums.clear(), report.figures.meetings.clear();
  report.figures.matrices.clear(), report.figures.histograms.clear(), report.findings.clear();
  for (const auto& meet : meets) {
    Status worst = Status::pass;
    std::string why = meet.problem;
    for (const auto& result : meet.results) {
      const Judged judged = judge(result, meet, plan, bounds);
      if (judged.status == Status::fail) worst = Status::fail, why = why.empty() ? judged.why : why;
      RailResult rail = rail_result(result, judged, plan, bounds, ends);
      if (!result.report.counts.empty())
        report.figures.histograms.push_back(
            {std::string(to_string(plan.verb)) + ", " + bytes_text(result.bytes) + ", rail " +
                 std::to_string(rail.rail) + (rail.peer.empty() ? "" : " to " + rail.peer),
             rail.node, result.report.edges_us, result.report.counts});
      report.figures.rails.push_back(std::move(rail));
    }
    if (!meet.problem.empty()) worst = Status::fail;
    report.figures.meetings.push_back(
        {meet.round, end_of(ends, meet.ends.first).node, end_of(ends, meet.ends.second).node, worst, why});
    if (plan.matrix) add_rail_matrix(report, meet, plan, bounds, ends);
  }
  add_findings(report, meets, plan, bounds, ends);
  for (const auto& meet : meets)
    add_sums(report, meet, plan, bounds, ends);
  add_node_matrix(report, meets, plan, ends);
  for (const auto& end : ends)
    for (const auto& rail : end.rails)
      if (!rail.doubt.empty())
        report.findings.push_back({"rdma.rails", end.node + " " + rail.name(), Status::unknown, rail.doubt,
                                   "a rail that the policy names", "the policy's node.rails",
                                   "mlc-bench validate pci.inventory"});
  for (const auto& end : ends)
    for (const auto& rail : end.rails)
      if (!rail.warning.empty() && rail.problem.empty())
        report.findings.push_back(
            {"rdma.gid", end.node + " " + rail.name(), Status::warn, rail.warning,
             "a RoCE v2 GID mapped from the rail's IPv4 address",
             "/sys/class/infiniband/" + rail.device + "/ports/1/gids",
             "give " + rail.netdev + " its IPv4 address; mlc-bench validate rdma.gid-table"});
}

}  // namespace mlc::rdma
