#include "bench/fleet/localisation/problems.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace mlc::fleet {

namespace {

// Log odds of a component, from simulation over a mix of faults (docs/fleet.md).
float log_odds_of(Kind kind) {
  switch (kind) {
    case Kind::node:
      return -5.8f;
    case Kind::end:
    case Kind::leaf:
      return -6.0f;
    case Kind::tx:
    case Kind::rx:
      return -6.8f;
    case Kind::up:
    case Kind::down:
      return -6.5f;
  }
  return -7;
}

float spoilt_of(Kind kind) {
  switch (kind) {
    case Kind::leaf:
      return 1e-4f;
    case Kind::up:
    case Kind::down:
      return 1e-3f;
    default:
      return 2e-3f;
  }
}

// Growth during a test, in nats: what a port counted speaks most of what arrived there.
constexpr float end_grew = 4, rx_grew = 4.5f, tx_grew = 2.5f, node_grew = 2.5f, pause_grew = 2.5f,
                most_grew = 7;
constexpr std::size_t enough_ends = 100;

std::vector<Prior> priors_of(const Components& components) {
  std::vector<Prior> priors(components.count());
  for (ComponentId id = 0; id < priors.size(); ++id) {
    const Component component = components.of(id);
    priors[id] = {log_odds_of(component.kind), spoilt_of(component.kind), component.node, component.rail};
  }
  return priors;
}

struct EndGrowth {
  bool port = false, pause = false;
};

// Of both flows that an end has in a test.
EndGrowth growth_of(const MeasuredTest& test, int rail, bool second) {
  const auto& forth = flow_of(test.flows, rail, false);
  const auto& back = flow_of(test.flows, rail, true);
  const CounterGrowth &sends = second ? back.at_sender : forth.at_sender,
                      &receives = second ? forth.at_receiver : back.at_receiver;
  return {sends.port || receives.port, receives.pause_sent};
}

// Of two good ends, how often a port's counter grows all the same. What grows everywhere says nothing.
float most_for_a_port(const std::vector<MeasuredTest>& tests, int rails) {
  std::size_t ends = 0, grew = 0;
  for (const auto& test : tests)
    for (int rail = 0; rail < rails; ++rail) {
      const auto good = [](const FlowResult& flow) { return !flow.dead && flow.rate > .97; };
      if (!good(flow_of(test.flows, rail, false)) || !good(flow_of(test.flows, rail, true))) continue;
      for (const bool second : {false, true})
        ++ends, grew += growth_of(test, rail, second).port ? 1 : 0;
    }
  if (ends < enough_ends || grew == 0) return rx_grew;
  const double rate = static_cast<double>(grew) / static_cast<double>(ends);
  return static_cast<float>(std::clamp(std::log(.5 / rate), 0., static_cast<double>(rx_grew)));
}

}  // namespace

std::vector<float> counter_bonus(const std::vector<MeasuredTest>& tests, const Components& components,
                                 int rails) {
  std::vector<float> bonus(components.count(), 0);
  const float most = most_for_a_port(tests, rails);
  const auto add = [&](ComponentId id, float nats) { bonus[id] = std::min(most_grew, bonus[id] + nats); };
  for (const auto& test : tests)
    for (const bool second : {false, true}) {
      const int node = second ? test.plan.second : test.plan.first;
      bool any_port = false, any_pause = false;
      for (int rail = 0; rail < rails; ++rail) {
        const EndGrowth grew = growth_of(test, rail, second);
        if (grew.port) {
          add(components.end(node, rail), std::min(most, end_grew));
          add(components.rx(node, rail), std::min(most, rx_grew));
          add(components.tx(node, rail), std::min(most, tx_grew));
        }
        if (grew.pause) add(components.rx(node, rail), pause_grew);
        any_port |= grew.port, any_pause |= grew.pause;
      }
      if (any_port) add(components.node(node), std::min(most, node_grew));
      if (any_pause) add(components.node(node), pause_grew);
    }
  return bonus;
}

FlowProblem flow_problem(const std::vector<MeasuredTest>& tests, const Topology& topology,
                         const Components& components, const Strata& strata,
                         const std::vector<bool>& watched) {
  FlowProblem all;
  all.problem.priors = priors_of(components);
  const auto bonus = counter_bonus(tests, components, topology.rails);
  for (ComponentId id = 0; id < bonus.size(); ++id) {
    auto& prior = all.problem.priors[id];
    prior.log_odds += bonus[id];
    if (prior.node >= 0 && static_cast<std::size_t>(prior.node) < watched.size() &&
        watched[static_cast<std::size_t>(prior.node)])
      prior.log_odds += 1;
  }
  for (std::uint32_t t = 0; t < tests.size(); ++t) {
    const auto& test = tests[t];
    all.problem.rounds = std::max(all.problem.rounds, test.round);
    for (std::size_t i = 0; i < test.flows.size(); ++i) {
      const FlowResult& flow = test.flows[i];
      const int rail = static_cast<int>(i / 2);
      const bool back = i % 2 == 1;
      const int from = back ? test.plan.second : test.plan.first,
                to = back ? test.plan.first : test.plan.second;
      const int leaf = topology.leaf_of(from, rail), other = topology.leaf_of(to, rail);
      std::array<ComponentId, 8> crossed{components.node(from),      components.node(to),
                                         components.end(from, rail), components.end(to, rail),
                                         components.tx(from, rail),  components.rx(to, rail)};
      std::size_t count = 6;
      if (leaf >= 0) crossed[count++] = components.leaf(leaf);
      if (other >= 0 && other != leaf) crossed[count++] = components.leaf(other);
      const bool inside = topology.same_leaf(from, to, rail);
      const auto seen = normalised(flow, strata, inside);
      all.problem.add(test.round - 1, from, to,
                      flow.dead ? dead_logs() : flow_logs(seen.rate, seen.sigma, flow.slow_windows),
                      {crossed.data(), count});
      all.places.push_back({t, static_cast<std::uint8_t>(rail), 0, back});
      all.rates.push_back(flow.dead ? 0 : static_cast<float>(seen.rate));
    }
  }
  return all;
}

FlowProblem uplink_problem(const std::vector<MeasuredTest>& tests, const Topology& topology,
                           const Components& components) {
  FlowProblem all;
  all.problem.priors = priors_of(components);
  for (const bool counting : {true, false}) {  // what is usual is known when all have been seen
    std::vector<double> shares(all.rates.begin(), all.rates.end());
    const Stratum usual = stratum_of_shares(shares);
    all.rates.clear();
    for (std::uint32_t t = 0; t < tests.size(); ++t) {
      const auto& test = tests[t];
      all.problem.rounds = std::max(all.problem.rounds, test.round);
      for (std::size_t i = 0; i < test.flows.size() && topology.uplinks > 0; ++i) {
        const int rail = static_cast<int>(i / 2);
        const bool back = i % 2 == 1;
        const int from = back ? test.plan.second : test.plan.first,
                  to = back ? test.plan.first : test.plan.second;
        const int leaf = topology.leaf_of(from, rail), other = topology.leaf_of(to, rail);
        if (test.flows[i].dead || leaf < 0 || other < 0 || leaf == other) continue;
        const auto beside = beside_siblings(test.flows[i].shares);
        for (int q = 0; q < queue_pairs; ++q) {
          const double share = beside[static_cast<std::size_t>(q)] / usual.median;
          all.rates.push_back(static_cast<float>(share));
          if (counting) continue;
          const int uplink = uplink_of(test.plan, q, topology.uplinks);
          const std::array<ComponentId, 2> crossed{components.up(leaf, uplink),
                                                   components.down(other, uplink)};
          all.problem.add(test.round - 1, from, to, rate_logs(share, usual.sigma), crossed);
          all.places.push_back({t, static_cast<std::uint8_t>(rail), static_cast<std::uint8_t>(q), back});
        }
      }
    }
  }
  return all;
}

}  // namespace mlc::fleet
