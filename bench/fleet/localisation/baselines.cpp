#include "bench/fleet/localisation/baselines.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <set>

#include "bench/fleet/localisation/pairs.hpp"
#include "bench/fleet/localisation/random.hpp"

namespace mlc::fleet {

namespace {

// A rail passes from 90 % of the target on.
constexpr double bound = .9;

std::size_t at(int position) { return static_cast<std::size_t>(position); }

std::vector<int> all_nodes(int count) {
  std::vector<int> nodes(at(count));
  std::iota(nodes.begin(), nodes.end(), 0);
  return nodes;
}

World world_of(const TrialPlan& plan, std::uint64_t seed) {
  WorldKnobs knobs = plan.knobs;
  knobs.hashed = true;  // none of them chooses its uplinks
  World world(knobs, seed);
  if (plan.planted.empty()) world.plant_faults();
  for (const auto& fault : plan.planted)
    world.plant(fault);
  return world;
}

PlannedTest test_of(int one, int other) {
  return {.first = std::min(one, other), .second = std::max(one, other)};
}

bool passes(const TestResult& result) {
  return std::ranges::all_of(result.flows,
                             [](const FlowResult& flow) { return !flow.dead && flow.rate >= bound; });
}

std::vector<PlannedTest> matching(std::vector<int> nodes) {
  std::vector<PlannedTest> tests;
  for (std::size_t i = 0; i + 1 < nodes.size(); i += 2)
    tests.push_back(test_of(nodes[i], nodes[i + 1]));
  return tests;
}

// Each suspect with one that has passed; who fails again is accused.
std::set<int> confirmed(World& world, Score& score, int round, const std::set<int>& suspects, int nodes,
                        Random& random) {
  std::vector<int> passed;
  for (const int node : all_nodes(nodes))
    if (!suspects.contains(node)) passed.push_back(node);
  random.shuffle(passed);
  std::vector<PlannedTest> tests;
  std::set<int> accused;
  for (const int node : suspects) {
    if (passed.empty()) {
      accused.insert(node);  // nobody is left who could clear it
      continue;
    }
    // Where there are more suspects than others, others meet several.
    tests.push_back(test_of(node, passed[tests.size() % passed.size()]));
  }
  for (const auto& result : world.measure(1, round, tests))
    if (!passes(result)) accused.insert(suspects.contains(result.first) ? result.first : result.second);
  score.tests += tests.size();
  return accused;
}

struct ByPlace {
  bool operator()(const Component& a, const Component& b) const {
    return std::pair(a.node, a.rail) < std::pair(b.node, b.rail);
  }
};
using Accused = std::set<Component, ByPlace>;

void finish(Score& score, const TrialPlan& plan, const World& world, const Accused& accused, int rounds) {
  Said said;
  said.nodes.assign(at(plan.knobs.nodes), Standing::clean);
  for (const Component& component : accused) {
    said.located.push_back({.component = component, .path = {}, .standing = Standing::faulty});
    said.nodes[at(component.node)] = Standing::faulty;
  }
  score_answer(score, said, world, plan.scored_from);
  score.add_rounds(rounds);
}

Accused as_nodes(const std::set<int>& nodes) {
  Accused accused;
  for (const int node : nodes)
    accused.insert({.kind = Kind::node, .node = node});
  return accused;
}

// Google's cluster health scanner: random pairs, then each of a failed pair with a node that passed.
Score scanner(const TrialPlan& plan, std::uint64_t seed) {
  World world = world_of(plan, seed);
  Score score;
  Random random(seed, 1);
  auto nodes = all_nodes(plan.knobs.nodes);
  random.shuffle(nodes);
  const auto tests = matching(nodes);
  score.tests += tests.size();
  std::set<int> suspects;
  for (const auto& result : world.measure(1, 1, tests))
    if (!passes(result)) suspects.insert(result.first), suspects.insert(result.second);
  finish(score, plan, world, as_nodes(confirmed(world, score, 2, suspects, plan.knobs.nodes, random)), 2);
  return score;
}

// A set of nodes as one job would see it: neighbours in pairs, and the worst counts for all.
bool set_passes(World& world, Score& score, int round, const std::vector<int>& nodes) {
  auto tests = matching(nodes);
  if (nodes.size() % 2 == 1 && nodes.size() > 1) tests.push_back(test_of(nodes.front(), nodes.back()));
  score.tests += tests.size();
  return std::ranges::all_of(world.measure(1, round, tests), passes);
}

// Leaves one by one, then between leaves, halves of what failed until two are left, then confirmation.
Score bisection(const TrialPlan& plan, std::uint64_t seed) {
  World world = world_of(plan, seed);
  Score score;
  Random random(seed, 2);
  std::set<int> suspects;
  std::vector<std::vector<int>> failing;
  for (int begin = 0; begin < plan.knobs.nodes; begin += plan.knobs.leaf_size) {
    auto nodes = all_nodes(std::min(plan.knobs.leaf_size, plan.knobs.nodes - begin));
    for (int& node : nodes)
      node += begin;
    random.shuffle(nodes);
    if (!set_passes(world, score, 1, nodes)) failing.push_back(nodes);
  }
  auto nodes = all_nodes(plan.knobs.nodes);
  random.shuffle(nodes);
  const auto between = matching(nodes);
  score.tests += between.size();
  for (const auto& result : world.measure(1, 2, between))
    if (!passes(result)) suspects.insert(result.first), suspects.insert(result.second);
  int round = 2;
  for (; !failing.empty(); ++round) {
    std::vector<std::vector<int>> next;
    for (const auto& set : failing) {
      if (set.size() <= 2) {
        suspects.insert(set.begin(), set.end());
        continue;
      }
      const auto middle = set.begin() + static_cast<std::ptrdiff_t>((set.size() / 2 + 1) / 2 * 2);
      for (const auto& half : {std::vector<int>(set.begin(), middle), std::vector<int>(middle, set.end())})
        if (!half.empty() && !set_passes(world, score, round + 1, half)) next.push_back(half);
    }
    failing = std::move(next);
  }
  finish(score, plan, world, as_nodes(confirmed(world, score, round + 1, suspects, plan.knobs.nodes, random)),
         round + 1);
  return score;
}

// Whose rail is below the bound in the median of its meetings, its worse direction counting.
Accused below_in_median(const std::vector<std::vector<std::vector<double>>>& rates) {
  Accused accused;
  for (std::size_t node = 0; node < rates.size(); ++node)
    for (std::size_t rail = 0; rail < rates[node].size(); ++rail) {
      auto values = rates[node][rail];
      if (values.empty()) continue;
      std::ranges::sort(values);
      if (values[(values.size() - 1) / 2] < bound)
        accused.insert({.kind = Kind::end, .node = static_cast<int>(node), .rail = static_cast<int>(rail)});
    }
  return accused;
}

template <class Rounds>
Score by_median(const TrialPlan& plan, std::uint64_t seed, int rounds, const Rounds& tests_of) {
  World world = world_of(plan, seed);
  Score score;
  std::vector<std::vector<std::vector<double>>> rates(at(plan.knobs.nodes));
  for (auto& node : rates)
    node.resize(at(plan.knobs.rails));
  for (int round = 1; round <= rounds; ++round) {
    const std::vector<PlannedTest> tests = tests_of(round);
    score.tests += tests.size();
    for (const auto& result : world.measure(1, round, tests))
      for (std::size_t rail = 0; rail < at(plan.knobs.rails); ++rail) {
        const auto rate = [&](const FlowResult& flow) { return flow.dead ? 0 : flow.rate; };
        const double worse = std::min(rate(result.flows[2 * rail]), rate(result.flows[2 * rail + 1]));
        for (const int node : {result.first, result.second})
          rates[at(node)][rail].push_back(worse);
      }
  }
  finish(score, plan, world, below_in_median(rates), rounds);
  return score;
}

Score median_of_five(const TrialPlan& plan, std::uint64_t seed) {
  Random random(seed, 3);
  return by_median(plan, seed, 5, [&](int) {
    auto nodes = all_nodes(plan.knobs.nodes);
    random.shuffle(nodes);
    return matching(nodes);
  });
}

// SuperBench's pair-wise mode: the circle method, each with each.
Score every_pair(const TrialPlan& plan, std::uint64_t seed) {
  const int count = plan.knobs.nodes, moving = count + count % 2 - 1;
  return by_median(plan, seed, moving, [&](int round) {
    std::vector<PlannedTest> tests;
    for (int seat = 0; seat <= moving / 2; ++seat) {
      const int a = seat == 0 ? moving : (round + seat) % moving, b = (round + moving - seat) % moving;
      if (a < count && b < count) tests.push_back(test_of(a, b));
    }
    return tests;
  });
}

// This program's decoder without its schedule: all nodes in four matchings, one inside leaves, three between.
Score four_matchings(const TrialPlan& plan, std::uint64_t seed) {
  WorldKnobs knobs = plan.knobs;
  knobs.hashed |= plan.known != Known::uplinks;
  World world(knobs, seed);
  if (plan.planted.empty()) world.plant_faults();
  for (const auto& fault : plan.planted)
    world.plant(fault);
  const Topology told = known_topology(world.topology(), plan.known, plan.wrong_leaf, seed);
  Score score;
  Met met;
  Gathered gathered{.tests = {},
                    .participants = std::vector<bool>(at(knobs.nodes), true),
                    .lost = std::vector<bool>(at(knobs.nodes), false),
                    .watched = {}};
  for (int round = 1; round <= 4; ++round) {
    const auto tests = pairs({.seed = seed + static_cast<std::uint64_t>(round) * 7919,
                              .round = round == 1 ? 1 : 2,
                              .participants = all_nodes(knobs.nodes)},
                             told, met);
    score.tests += tests.size();
    const auto accepted = accept_results(1, round, knobs.rails, tests, world.measure(1, round, tests));
    for (const auto& test : accepted.measured)
      met.add(test.plan.first, test.plan.second), gathered.tests.push_back(test);
  }
  const Judgement judgement = judge(gathered, told, plan.rules);
  score_answer(score, {judgement.located, judgement.nodes}, world, plan.scored_from);
  score.add_rounds(4);
  return score;
}

constexpr std::array<Baseline, 5> all_baselines{{
    {"chs", "random pairs, then suspects with a node that passed (Google CHS)", 1 << 20, scanner},
    {"bisection", "leaves, between leaves, halves, confirmation (CRE)", 1 << 20, bisection},
    {"median", "the median of five random pairings, rail by rail", 1 << 20, median_of_five},
    {"all-pairs", "the median of every pair, rail by rail (SuperBench)", 512, every_pair},
    {"matchings", "four fixed pairings of all nodes, and this decoder", 1 << 20, four_matchings},
}};

}  // namespace

std::span<const Baseline> baselines() { return all_baselines; }

}  // namespace mlc::fleet
