#include "bench/fleet/localisation/judgement.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "bench/fleet/localisation/weighing.hpp"
#include "reports/record/text.hpp"

namespace mlc::fleet {

namespace {

constexpr double off_target = .02;
constexpr std::size_t nodes_for_a_leaf = 2;  // whose tests decide an open leaf

std::size_t at(int position) { return static_cast<std::size_t>(position); }

void worsen(Standing& standing, Standing to) { standing = std::max(standing, to); }

// Up to two different partners: more are not asked for.
struct Partners {
  std::array<int, 2> who{-1, -1};
  void add(int node) {
    if (who[0] < 0)
      who[0] = node;
    else if (who[0] != node && who[1] < 0)
      who[1] = node;
  }
  int count() const { return (who[0] >= 0 ? 1 : 0) + (who[1] >= 0 ? 1 : 0); }
};

class Judging {
 public:
  Judging(const Gathered& gathered, const Topology& topology, const Rules& rules);
  Judgement take();

 private:
  void of_hosts();
  void of_rivals();
  void of_unexplained();
  void of_coverage();
  void of_uplinks();
  void of_paths();
  void of_fleet(const Strata& strata);
  Located located(const Weighing& weighing, std::size_t i, bool by_queue_pair) const;
  bool masked_for(std::size_t flow, int node) const;
  void add_suspect(int node) { suspects_.insert(node); }

  const Gathered& gathered_;
  const Topology& topology_;
  const Rules& rules_;
  int participants_;
  Components components_;
  Strata strata_;
  Weighing hosts_, uplinks_;
  std::set<int> suspects_, uncovered_;
  std::set<int> open_leaves_;
  Judgement judgement_;
};

Judging::Judging(const Gathered& gathered, const Topology& topology, const Rules& rules)
    : gathered_(gathered),
      topology_(topology),
      rules_(rules),
      participants_(static_cast<int>(std::ranges::count(gathered.participants, true))),
      components_(topology.nodes, topology.rails, static_cast<int>(topology.leaves.size()), topology.uplinks),
      strata_(strata_of(gathered.tests, topology, participants_)),
      hosts_(flow_problem(gathered.tests, topology, components_, strata_, gathered.watched),
             rules.confidence),
      uplinks_(uplink_problem(gathered.tests, topology, components_), rules.confidence) {
  judgement_.nodes.assign(at(topology.nodes), Standing::clean);
  judgement_.warnings = topology.warnings;
}

bool Judging::masked_for(std::size_t flow, int node) const {
  const Problem& problem = hosts_.flows.problem;
  for (std::uint32_t i = problem.begin[flow]; i < problem.begin[flow + 1]; ++i) {
    const ComponentId crossed = problem.crossed[i];
    if (hosts_.believed[crossed] != 0 && problem.priors[crossed].node != node) return true;
  }
  return false;
}

Located Judging::located(const Weighing& weighing, std::size_t i, bool by_queue_pair) const {
  const Explanation& each = weighing.decoder.explanations()[i];
  Located found{.component = components_.of(each.component),
                .path = {},
                .standing = weighing.standings[i],
                .severity = severities[at(each.weight.severity)],
                .margin = each.margin,
                .bad_rounds = each.bad_rounds,
                .partners = each.partners,
                .rivals = {},
                .why = weighing.why[i],
                .evidence_for = {},
                .evidence_against = {}};
  for (const Rival& rival : each.rivals)
    found.rivals.push_back({components_.of(rival.component), rival.weight.gain});
  add_evidence(found, each, weighing, gathered_, by_queue_pair);
  return found;
}

void Judging::of_hosts() {
  stand(hosts_, gathered_, components_, rules_, participants_);
  if (rules_.map_guard) guard_map(hosts_, components_, topology_);
  if (rules_.group_guard) guard_group(hosts_, components_, topology_);
  if (rules_.mass_guard) {
    judgement_.alarm = guard_rails(hosts_, components_, topology_, participants_);
    if (const auto mass = guard_mass(hosts_, components_, participants_); !mass.empty())
      judgement_.alarm += (judgement_.alarm.empty() ? "" : "; ") + mass;
  }
  const auto& all = hosts_.decoder.explanations();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Component component = components_.of(all[i].component);
    const Standing standing = hosts_.standings[i];
    const bool decided = standing == Standing::faulty || standing == Standing::watch;
    if (component.of_host()) {
      worsen(judgement_.nodes[at(component.node)], standing);
      if (!decided) add_suspect(component.node);
    } else if (!decided) {
      open_leaves_.insert(component.leaf);
    }
    if (hosts_.believed[all[i].component] != 0) judgement_.located.push_back(located(hosts_, i, false));
  }
}

void Judging::of_rivals() {
  const auto& all = hosts_.decoder.explanations();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (hosts_.standings[i] != Standing::ambiguous) continue;
    for (const Rival& rival : all[i].rivals) {
      const Component component = components_.of(rival.component);
      if (!component.of_host()) continue;
      worsen(judgement_.nodes[at(component.node)], Standing::ambiguous);
      add_suspect(component.node);
    }
  }
  // What explains nothing now, and might have.
  for (const ComponentId id : hosts_.decoder.possible(rules_.clean)) {
    if (hosts_.decoder.weigh(id).suspicion() <= rules_.clean) continue;
    const Component component = components_.of(id);
    if (component.of_host())
      worsen(judgement_.nodes[at(component.node)], Standing::unresolved), add_suspect(component.node);
    else
      open_leaves_.insert(component.leaf);
  }
}

// Bad once, for no reason that is left: on the list, and no more. In the last round nobody knows whether it
// was once: who was bad there is looked at again.
void Judging::of_unexplained() {
  const Problem& problem = hosts_.flows.problem;
  int last = 0;
  for (const auto& test : gathered_.tests)
    last = std::max(last, test.round);
  for (std::size_t flow = 0; flow < problem.flows(); ++flow) {
    const Logs& logs = problem.logs[flow];
    int believed = -1;
    for (std::uint32_t i = problem.begin[flow]; i < problem.begin[flow + 1]; ++i)
      if (const ComponentId crossed = problem.crossed[i]; hosts_.believed[crossed] != 0)
        believed = std::max(believed, hosts_.decoder.explained_at(flow));
    const float explained = log_of(logs, believed);
    float most = explained;
    for (int severity = believed + 1; severity < severity_count; ++severity)
      most = std::max(most, log_of(logs, severity));
    if (most - explained < watched_nats) continue;
    for (const int node : {problem.from[flow], problem.to[flow]}) {
      worsen(judgement_.nodes[at(node)], Standing::watch);
      if (gathered_.tests[hosts_.flows.places[flow].test].round == last) add_suspect(node);
    }
  }
}

// Nobody is clean before two tests by two partners over each rail, one of them past nothing that is slow.
void Judging::of_coverage() {
  const int rails = topology_.rails;
  std::vector<Partners> met(at(topology_.nodes * rails)), clear(2 * met.size());  // clear: sending, receiving
  const Problem& problem = hosts_.flows.problem;
  for (std::size_t flow = 0; flow < problem.flows(); ++flow) {
    const int rail = hosts_.flows.places[flow].rail, from = problem.from[flow], to = problem.to[flow];
    for (const bool receiving : {false, true}) {
      const int node = receiving ? to : from, partner = receiving ? from : to;
      met[at(node * rails + rail)].add(partner);
      if (!masked_for(flow, node)) clear[at(2 * (node * rails + rail) + (receiving ? 1 : 0))].add(partner);
    }
  }
  const int needed = std::min(2, participants_ - 1);
  constexpr int needed_clear = 1;  // a fault that a partner's hid once shows with the other
  for (int node = 0; node < topology_.nodes; ++node) {
    if (!gathered_.participants[at(node)] || judgement_.nodes[at(node)] == Standing::faulty) continue;
    for (int rail = 0; rail < rails; ++rail) {
      const auto place = at(node * rails + rail);
      if (met[place].count() < needed) {
        worsen(judgement_.nodes[at(node)], Standing::unresolved), uncovered_.insert(node);
      } else if (std::min(clear[2 * place].count(), clear[2 * place + 1].count()) < needed_clear) {
        worsen(judgement_.nodes[at(node)], Standing::masked);
        const int leaf = topology_.leaf_of(node, rail);
        // Behind its own leaf no other test shows more.
        if (leaf < 0 || hosts_.believed[components_.leaf(leaf)] == 0) uncovered_.insert(node);
      }
    }
  }
}

void Judging::of_uplinks() {
  stand(uplinks_, gathered_, components_, rules_, participants_);
  std::set<OpenUplink> open;
  const auto& all = uplinks_.decoder.explanations();
  const auto add = [&](ComponentId id) {
    const Component component = components_.of(id);
    open.insert({component.leaf, component.uplink});
  };
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (uplinks_.believed[all[i].component] == 0) continue;
    judgement_.located.push_back(located(uplinks_, i, true));
    if (uplinks_.standings[i] != Standing::ambiguous) continue;
    add(all[i].component);
    for (const Rival& rival : all[i].rivals)
      add(rival.component);
  }
  for (const ComponentId id : uplinks_.decoder.possible(rules_.clean))
    if (const Weight weight = uplinks_.decoder.weigh(id); weight.suspicion() > rules_.clean) {
      judgement_.located.push_back({.component = components_.of(id),
                                    .path = {},
                                    .standing = Standing::unresolved,
                                    .severity = severities[at(weight.severity)],
                                    .why = "too few flows crossed it"});
      add(id);
    }
  judgement_.open_uplinks.assign(open.begin(), open.end());
}

// Where no uplink is known, a port that is slow twice between the same two, when another between them is not.
// What loses packets at one end does not lose them evenly: flows of a place that explains them say nothing of
// their ports, however sure that is.
void Judging::of_paths() {
  if (topology_.uplinks > 0) return;
  std::set<std::uint32_t> accounted;
  for (std::size_t i = 0; i < hosts_.standings.size(); ++i)
    if (hosts_.standings[i] >= Standing::unresolved)
      for (const std::uint32_t flow : hosts_.decoder.flows_of(hosts_.decoder.explanations()[i].component))
        accounted.insert(flow);
  std::vector<std::pair<PathPlace, double>> shares;
  std::vector<double> all;
  for (std::uint32_t flow = 0; flow < hosts_.flows.places.size(); ++flow) {
    const FlowPlace& of = hosts_.flows.places[flow];
    const auto& plan = gathered_.tests[of.test].plan;
    const FlowResult& seen = flow_of(gathered_.tests[of.test].flows, of.rail, of.back);
    if (seen.dead || accounted.contains(flow)) continue;
    const auto beside = beside_siblings(seen.shares);
    for (int q = 0; q < queue_pairs; ++q) {
      shares.push_back({{of.back ? plan.second : plan.first, of.back ? plan.first : plan.second, of.rail, q},
                        beside[at(q)]});
      all.push_back(beside[at(q)]);
    }
  }
  const Stratum usual = stratum_of_shares(all);
  std::map<PathPlace, int> bad;
  std::map<PathPlace, double> worst;
  for (const auto& [place, share] : shares) {
    const Logs logs = rate_logs(share / usual.median, usual.sigma);
    if (*std::ranges::max_element(logs) - logs[0] < watched_nats) continue;
    ++bad[place];
    auto& least = worst.emplace(place, 1).first->second;
    least = std::min(least, share / usual.median);
  }
  for (const auto& [place, tests] : bad) {
    if (tests < 2) {
      judgement_.open_paths.push_back(place);
      continue;
    }
    judgement_.located.push_back({.component = {},
                                  .path = place,
                                  .standing = Standing::path,
                                  .severity = 1 - worst[place],
                                  .bad_rounds = tests,
                                  .why = "this source port alone, of those between the two"});
  }
}

void Judging::of_fleet(const Strata& strata) {
  const auto look = [&](const Stratum& stratum, const std::string& where) {
    if (stratum.flows == 0 || std::abs(stratum.median - 1) <= off_target) return;
    const std::string text = "the usual rate" + where + " is " + percent_text(stratum.median) + " of " +
                             (rules_.target_named ? "the target" : "what the fastest reached in round 1");
    // Beside each other all are well: that is no pass. Nor is a rate that all exceed by more than a fault
    // costs: who is slow beside them reaches it all the same.
    const bool too_low = rules_.target_named && stratum.median > 1 + rules_.floor;
    if (too_low || (!strata.by_target && stratum.median < slow_for_all))
      judgement_.alarm += (judgement_.alarm.empty() ? "" : "; ") + text +
                          (too_low ? ": the target is too low to judge by" : "");
    else
      judgement_.warnings.push_back("FLEET: " + text +
                                    (stratum.median <= 1 ? ""
                                     : rules_.target_named
                                         ? ": the target is too low to judge by"
                                         : ": name the rate that a rail should have (--rail-rate)"));
  };
  look(strata.inside, " inside a leaf");
  look(strata.between, topology_.has_groups() ? " between leaves" : "");
}

Judgement Judging::take() {
  of_hosts();
  of_rivals();
  of_unexplained();
  of_coverage();
  of_uplinks();
  of_paths();
  of_fleet(strata_);
  judgement_.tests.assign(at(topology_.nodes), 0);
  judgement_.worst.assign(at(topology_.nodes), 1);
  for (const auto& test : gathered_.tests)
    ++judgement_.tests[at(test.plan.first)], ++judgement_.tests[at(test.plan.second)];
  const Problem& problem = hosts_.flows.problem;
  for (std::size_t flow = 0; flow < problem.flows(); ++flow)
    for (const int node : {problem.from[flow], problem.to[flow]})
      judgement_.worst[at(node)] = std::min(judgement_.worst[at(node)], hosts_.flows.rates[flow]);
  for (int node = 0; node < topology_.nodes; ++node) {
    Standing& standing = judgement_.nodes[at(node)];
    if (gathered_.lost[at(node)] && standing != Standing::faulty) standing = Standing::lost;
    if (standing == Standing::faulty) judgement_.bad.push_back(node);
  }
  // An open leaf is decided by tests of those that are in it, also where that very leaf masks them all.
  for (const int leaf : open_leaves_) {
    std::size_t found = 0;
    const int rail = topology_.leaves[at(leaf)].rail;
    for (int node = 0; node < topology_.nodes && found < nodes_for_a_leaf; ++node)
      if (const Standing standing = judgement_.nodes[at(node)];
          topology_.leaf_of(node, rail) == leaf &&
          (standing < Standing::unresolved || standing == Standing::masked))
        add_suspect(node), ++found;
  }
  const auto kept = [&](const std::set<int>& nodes, std::vector<int>& list) {
    std::ranges::copy_if(nodes, std::back_inserter(list), [&](int node) {
      return judgement_.nodes[at(node)] != Standing::faulty && gathered_.participants[at(node)] &&
             !gathered_.lost[at(node)];
    });
  };
  kept(suspects_, judgement_.suspects);
  kept(uncovered_, judgement_.uncovered);
  return std::move(judgement_);
}

}  // namespace

std::string_view to_string(Standing standing) {
  constexpr std::array<std::string_view, 8> names{"CLEAN",      "WATCH",  "LOST",      "PATH",
                                                  "UNRESOLVED", "MASKED", "AMBIGUOUS", "FAULTY"};
  return names[static_cast<std::size_t>(standing)];
}

Judgement judge(const Gathered& gathered, const Topology& topology, const Rules& rules) {
  return Judging(gathered, topology, rules).take();
}

}  // namespace mlc::fleet
