// What keeps the healthy from being accused where the decoder's picture of the fabric is wrong.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "bench/fleet/localisation/weighing.hpp"
#include "reports/record/text.hpp"

namespace mlc::fleet {

namespace {

constexpr double same_deficit = .02;
constexpr std::size_t least_group = 6;
constexpr int nodes_a_group_member = 64;
constexpr double slow_windows_share = .05;
constexpr int least_mass = 2;  // of a small fleet, one or two are no mass

double median_deficit(const Weighing& weighing, ComponentId component) {
  std::vector<double> deficits;
  for (const std::uint32_t flow : weighing.decoder.flows_of(component))
    deficits.push_back(1 - weighing.flows.rates[flow]);
  if (deficits.empty()) return 0;
  std::ranges::nth_element(deficits, deficits.begin() + static_cast<std::ptrdiff_t>(deficits.size() / 2));
  return deficits[deficits.size() / 2];
}

// A fault that is on for a part of the test has a small mean: its windows show it.
bool comes_and_goes(const Weighing& weighing, const Gathered& gathered, const Explanation& explanation) {
  int windows = 0, slow = 0;
  for (const std::uint32_t flow : weighing.decoder.flows_of(explanation.component)) {
    const FlowPlace& place = weighing.flows.places[flow];
    const auto& seen = flow_of(gathered.tests[place.test].flows, place.rail, place.back);
    windows += windows_a_test, slow += seen.slow_windows;
  }
  return windows > 0 && slow > slow_windows_share * windows;
}

}  // namespace

void stand(Weighing& weighing, const Gathered& gathered, const Components& components, const Rules& rules,
           int participants) {
  const auto& all = weighing.decoder.explanations();
  weighing.standings.assign(all.size(), Standing::ambiguous);
  weighing.why.assign(all.size(), "");
  weighing.believed.assign(weighing.flows.problem.priors.size(), 0);
  const int partners = std::min(2, participants - 1);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Explanation& each = all[i];
    auto& why = weighing.why[i];
    if (each.weight.suspicion() <= rules.clean) {
      weighing.standings[i] = Standing::watch, why = "once, and gone";
      continue;
    }
    weighing.believed[each.component] = 1;
    const double severity = severities[static_cast<std::size_t>(each.weight.severity)];
    if (each.margin < rules.confidence)
      why = each.rivals.empty() ? "it may have been chance" : "another would explain as much";
    else if (each.bad_rounds < 2)
      why = "it was bad in one round alone";
    else if (each.partners < partners)
      why = "it was bad with one partner alone";
    else if (severity < rules.floor &&
             !(components.of(each.component).of_host() && comes_and_goes(weighing, gathered, each)))
      weighing.standings[i] = Standing::watch,
      why = percent_text(severity) + " is less than the floor of " + percent_text(rules.floor);
    else
      weighing.standings[i] = Standing::faulty;
  }
}

void guard_map(Weighing& weighing, const Components& components, const Topology& topology) {
  struct Slow {
    int leaf;
    double deficit;
  };
  const auto& all = weighing.decoder.explanations();
  std::map<int, std::vector<Slow>> by_rail;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (const Component at = components.of(all[i].component);
        at.kind == Kind::leaf && weighing.standings[i] == Standing::faulty)
      by_rail[topology.leaves[static_cast<std::size_t>(at.leaf)].rail].push_back(
          {at.leaf, median_deficit(weighing, all[i].component)});
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Component at = components.of(all[i].component);
    if (at.kind != Kind::end || weighing.standings[i] != Standing::faulty) continue;
    const double deficit = median_deficit(weighing, all[i].component);
    for (const Slow& slow : by_rail[at.rail])
      if (slow.leaf != topology.leaf_of(at.node, at.rail) && std::abs(slow.deficit - deficit) <= same_deficit)
        weighing.standings[i] = Standing::ambiguous,
        weighing.why[i] = "it is as slow as leaf " +
                          printable(topology.leaves[static_cast<std::size_t>(slow.leaf)].name, 64) +
                          ": the topology may have it in the wrong leaf";
  }
}

void guard_group(Weighing& weighing, const Components& components, const Topology& topology) {
  if (topology.has_groups()) return;
  const auto& all = weighing.decoder.explanations();
  // Two of a few nodes may be all that a leaf has here; among many, two faults of one severity are no wonder.
  const auto least =
      topology.nodes < least_nodes_for_strata
          ? std::size_t{2}
          : std::max(least_group, static_cast<std::size_t>(topology.nodes / nodes_a_group_member));
  const auto severity = [&](std::size_t i) { return all[i].weight.severity; };
  // All that is believed of a rail, accused or not yet: of a leaf's ends some were seen one way only.
  // The last are nodes as a whole.
  std::vector<std::vector<std::size_t>> by_rail(static_cast<std::size_t>(topology.rails) + 1);
  for (std::size_t i = 0; i < all.size(); ++i)
    if (const Component at = components.of(all[i].component);
        at.of_host() && weighing.believed[all[i].component] != 0 &&
        (at.rail >= 0 || topology.nodes < least_nodes_for_strata))
      by_rail[static_cast<std::size_t>(at.rail >= 0 ? at.rail : topology.rails)].push_back(i);
  for (const auto& ends : by_rail)
    for (int step = 0; step < severity_count; ++step) {
      std::vector<std::size_t> alike;
      std::ranges::copy_if(ends, std::back_inserter(alike),
                           [&](std::size_t i) { return std::abs(severity(i) - step) <= 1; });
      if (alike.size() < least) continue;
      for (const std::size_t i : alike) {
        if (weighing.standings[i] == Standing::faulty) weighing.standings[i] = Standing::ambiguous;
        weighing.why[i] = std::to_string(alike.size()) +
                          " are as slow over the same rails: look for what they share, a leaf most of all";
      }
    }
}

std::string guard_rails(Weighing& weighing, const Components& components, const Topology& topology,
                        int participants) {
  constexpr int least = 3;  // of two, nobody is accused anyway
  std::string text;
  for (int rail = 0; participants >= least && rail < topology.rails; ++rail) {
    double best = 0;
    bool any = false;
    for (std::size_t i = 0; i < weighing.flows.places.size(); ++i)
      if (weighing.flows.places[i].rail == rail)
        any = true, best = std::max(best, static_cast<double>(weighing.flows.rates[i]));
    // Where leaves are known, one that is slow explains it.
    if (!any || best > (topology.has_groups() ? 0 : slow_for_all)) continue;
    const std::string what =
        best > 0 ? "reaches " + percent_text(best) + " of what it should at best" : "carries nothing";
    text += (text.empty() ? "" : "; ") + std::string("rail ") + std::to_string(rail) + " " + what +
            ", whoever meets whom: its name on the nodes, the fabric, or the measurement; nobody is accused "
            "for it";
    const auto& all = weighing.decoder.explanations();
    for (std::size_t i = 0; i < all.size(); ++i) {
      const Component at = components.of(all[i].component);
      const int of = at.leaf >= 0 ? topology.leaves[static_cast<std::size_t>(at.leaf)].rail : at.rail;
      if (weighing.standings[i] == Standing::faulty && (of == rail || (of < 0 && topology.rails == 1)))
        weighing.standings[i] = Standing::ambiguous,
        weighing.why[i] = best > 0 ? "this rail is slow for everybody" : "this rail is dead for everybody";
    }
  }
  return text;
}

std::string guard_mass(Weighing& weighing, const Components& components, int participants) {
  const auto& all = weighing.decoder.explanations();
  std::set<int> accused;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (const Component at = components.of(all[i].component);
        at.of_host() && weighing.standings[i] == Standing::faulty)
      accused.insert(at.node);
  const auto many = static_cast<std::size_t>(std::max(least_mass, participants / 10));
  if (accused.size() <= many) return {};
  for (std::size_t i = 0; i < all.size(); ++i)
    if (components.of(all[i].component).of_host() && weighing.standings[i] == Standing::faulty)
      weighing.standings[i] = Standing::ambiguous,
      weighing.why[i] = "more than a tenth of the fleet looks like this";
  return std::to_string(accused.size()) + " of " + std::to_string(participants) +
         " nodes would be accused: it is the fleet, or the measurement; nobody is";
}

}  // namespace mlc::fleet
