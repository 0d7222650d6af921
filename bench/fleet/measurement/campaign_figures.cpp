#include "bench/fleet/measurement/campaign_figures.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "bench/fleet/localisation/findings.hpp"
#include "bench/fleet/localisation/normalised.hpp"
#include "bench/fleet/localisation/quoted.hpp"
#include "reports/record/text.hpp"

namespace mlc::fleet {

namespace {

constexpr std::size_t longest_name = 253;

int partners_of(int node, const Campaign& campaign) {
  std::set<int> partners;
  for (const auto& test : campaign.gathered().tests)
    if (test.plan.first == node || test.plan.second == node)
      partners.insert(test.plan.first == node ? test.plan.second : test.plan.first);
  return static_cast<int>(partners.size());
}

std::vector<FleetTest> tests_of(const Campaign& campaign) {
  const auto& gathered = campaign.gathered();
  const Topology& topology = campaign.topology();
  const Strata strata =
      strata_of(gathered.tests, topology, static_cast<int>(std::ranges::count(gathered.participants, true)));
  std::vector<FleetTest> tests;
  for (const auto& test : gathered.tests) {
    FleetTest held{.round = test.round, .first = test.plan.first, .second = test.plan.second, .ratios = {}};
    for (std::size_t i = 0; i < test.flows.size(); ++i) {
      const bool inside = topology.same_leaf(held.first, held.second, static_cast<int>(i / 2));
      held.ratios.push_back(test.flows[i].dead ? 0 : normalised(test.flows[i], strata, inside).rate);
    }
    tests.push_back(std::move(held));
  }
  return tests;
}

std::vector<std::string> counters_of(const CounterGrowth& grew) {
  std::vector<std::string> names;
  if (grew.port) names.emplace_back("port");
  if (grew.transport) names.emplace_back("transport");
  if (grew.pause_sent) names.emplace_back("pause");
  return names;
}

std::vector<FleetFlow> flows_of(const std::vector<FlowEvidence>& evidence, const CampaignEnd& end) {
  const auto name = [&](int node) {
    return printable(end.nodes[static_cast<std::size_t>(node)], longest_name);
  };
  std::vector<FleetFlow> flows;
  for (const auto& each : evidence)
    flows.push_back({.round = each.round,
                     .from = name(each.from),
                     .to = name(each.to),
                     .rail = each.rail,
                     .queue_pair = each.queue_pair < 0 ? std::nullopt : std::optional(each.queue_pair),
                     .ratio = each.ratio,
                     .nats = each.nats,
                     .sender_counters = counters_of(each.at_sender),
                     .receiver_counters = counters_of(each.at_receiver)});
  return flows;
}

std::vector<FleetPlace> places_of(const Campaign& campaign, const CampaignEnd& end) {
  std::vector<FleetPlace> places;
  for (const auto& told : told_together(campaign.judgement(), campaign.topology())) {
    const Located& located = told.front();
    FleetPlace place{.where = location_of(told, campaign.topology(), end.nodes),
                     .standing = std::string(to_string(located.standing)),
                     .severity = located.severity,
                     .margin = located.margin,
                     .rounds = located.bad_rounds,
                     .partners = located.partners,
                     .rivals = {},
                     .why = located.why,
                     .evidence_for = flows_of(located.evidence_for, end),
                     .evidence_against = flows_of(located.evidence_against, end)};
    for (const auto& rival : located.rivals)
      place.rivals.push_back(location_of(rival.component, campaign.topology(), end.nodes));
    places.push_back(std::move(place));
  }
  return places;
}

std::vector<std::string> leaves_of(int node, const Topology& topology) {
  std::vector<std::string> leaves;
  for (int rail = 0; rail < topology.rails && topology.has_groups(); ++rail) {
    const int leaf = topology.leaf_of(node, rail);
    leaves.push_back(
        leaf < 0 ? "" : printable(topology.leaves[static_cast<std::size_t>(leaf)].name, longest_name));
  }
  return leaves;
}

// A way between leaves, or an uplink: leaf, the other leaf or -1, uplink or -1, down.
using WayKey = std::tuple<int, int, int, bool>;
struct Shares {
  int queue_pairs = 0;
  double least = 2;
  void add(double share) { ++queue_pairs, least = std::min(least, share); }
};

std::map<WayKey, Shares> shares_of(const Campaign& campaign) {
  const Topology& topology = campaign.topology();
  std::map<WayKey, Shares> ways;
  for (const auto& test : campaign.gathered().tests)
    for (std::size_t i = 0; i < test.flows.size(); ++i) {
      const int rail = static_cast<int>(i / 2);
      const bool back = i % 2 == 1;
      const int from = topology.leaf_of(back ? test.plan.second : test.plan.first, rail);
      const int to = topology.leaf_of(back ? test.plan.first : test.plan.second, rail);
      if (from < 0 || to < 0 || from == to) continue;
      const auto beside = beside_siblings(test.flows[i].shares);
      for (int q = 0; q < queue_pairs; ++q) {
        const double share = test.flows[i].dead ? 0 : beside[static_cast<std::size_t>(q)];
        if (topology.uplinks > 0) {
          const int uplink = uplink_of(test.plan, q, topology.uplinks);
          ways[{from, -1, uplink, false}].add(share), ways[{to, -1, uplink, true}].add(share);
        } else {
          ways[{from, to, -1, false}].add(share);
        }
      }
    }
  return ways;
}

std::vector<FleetWay> ways_of(const Campaign& campaign) {
  const Topology& topology = campaign.topology();
  const auto name = [&](int leaf) {
    return leaf < 0 ? std::string()
                    : printable(topology.leaves[static_cast<std::size_t>(leaf)].name, longest_name);
  };
  std::vector<FleetWay> ways;
  for (const auto& [key, shares] : shares_of(campaign)) {
    const auto& [leaf, other, uplink, down] = key;
    ways.push_back({.rail = topology.leaves[static_cast<std::size_t>(leaf)].rail,
                    .leaf = name(leaf),
                    .towards = name(other),
                    .uplink = uplink < 0 ? std::nullopt : std::optional(uplink),
                    .down = down,
                    .queue_pairs = shares.queue_pairs,
                    .least_share = shares.least});
  }
  return ways;
}

}  // namespace

FleetFigures campaign_figures(const Campaign& campaign, const CampaignEnd& end) {
  const Judgement& judgement = campaign.judgement();
  FleetFigures figures{.seed = campaign.plan().seed,
                       .rounds = campaign.round(),
                       .most_rounds = campaign.most_rounds(),
                       .rails = campaign.topology().rails,
                       .tests = campaign.tests_planned(),
                       .not_measured = campaign.not_measured(),
                       .engine = end.engine,
                       .target_gbit_s = end.target_gbit_s,
                       .target_inferred = end.target_inferred,
                       .floor = campaign.plan().rules.floor,
                       .confidence = campaign.plan().rules.confidence,
                       .topology = campaign.topology().source,
                       .groups = campaign.topology().groups,
                       .coverage = campaign.topology().coverage,
                       .alarm = judgement.alarm,
                       .simulated = simulated_text(static_cast<int>(judgement.nodes.size())),
                       .troubles = end.troubles,
                       .nodes = {},
                       .places = places_of(campaign, end),
                       .held = tests_of(campaign),
                       .ways = ways_of(campaign)};
  // Whoever judges by the report again is warned as well.
  for (const auto& warning : judgement.warnings)
    figures.troubles.push_back(printable(warning, 400));
  for (std::size_t node = 0; node < judgement.nodes.size(); ++node)
    figures.nodes.push_back(
        {.name = printable(end.nodes[node], longest_name),
         .standing = std::string(to_string(judgement.nodes[node])),
         .tests = judgement.tests.empty() ? 0 : judgement.tests[node],
         .partners = partners_of(static_cast<int>(node), campaign),
         .worst_ratio = judgement.worst.empty() ? 0 : static_cast<double>(judgement.worst[node]),
         .leaves = leaves_of(static_cast<int>(node), campaign.topology())});
  return figures;
}

}  // namespace mlc::fleet
