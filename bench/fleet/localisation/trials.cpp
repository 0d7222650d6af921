#include "bench/fleet/localisation/trials.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace mlc::fleet {

namespace {

std::size_t at(int position) { return static_cast<std::size_t>(position); }

bool is_link(Kind kind) { return kind == Kind::up || kind == Kind::down; }

// A fault of a node or an end is found where the node is accused of it, of that rail or as a whole.
bool finds(const Component& said, const Component& truth) {
  if (truth.of_host())
    return said.of_host() && said.node == truth.node &&
           (truth.kind == Kind::node || said.kind == Kind::node || said.rail == truth.rail);
  if (truth.kind == Kind::leaf) return said.kind == Kind::leaf && said.leaf == truth.leaf;
  return is_link(said.kind) && said.leaf == truth.leaf && said.uplink == truth.uplink;
}

bool is_behind_slower(const Planted& fault, const World& world) {
  for (const auto& other : world.planted())
    if (other.component.kind == Kind::leaf && other.permanent() && other.severity >= fault.severity * .8 &&
        fault.component.rail >= 0 &&
        world.topology().leaf_of(fault.component.node, fault.component.rail) == other.component.leaf)
      return true;
  return false;
}

void score_host(Score& score, const Planted& fault, bool found, Standing standing, bool masked) {
  const bool silent = !found && standing == Standing::clean;
  if (fault.intermittent) {
    ++score.intermittent;
    score.intermittent_found += found ? 1 : 0, score.intermittent_silent += silent ? 1 : 0;
    return;
  }
  if (!found && masked) {
    ++score.masked;
    return;
  }
  ++score.hosts;
  score.missed += found ? 0 : 1, score.silent += silent ? 1 : 0;
}

}  // namespace

void Score::add_rounds(int count) {
  ++rounds[count];
  round_sum += count, round_squares += static_cast<double>(count) * count;
}

int Score::rounds_below(double share) const {
  std::size_t seen = 0;
  for (const auto& [count, campaigns] : rounds)
    if (seen += campaigns; static_cast<double>(seen) >= share * static_cast<double>(trials)) return count;
  return 0;
}

void Score::add(const Score& other) {
  for (const auto member : {&Score::trials,
                            &Score::node_campaigns,
                            &Score::hosts,
                            &Score::missed,
                            &Score::silent,
                            &Score::masked,
                            &Score::accused,
                            &Score::healthy,
                            &Score::faulty_found,
                            &Score::right_class,
                            &Score::leaves,
                            &Score::leaves_found,
                            &Score::uplinks,
                            &Score::uplinks_found,
                            &Score::uplinks_listed,
                            &Score::intermittent,
                            &Score::intermittent_found,
                            &Score::intermittent_silent,
                            &Score::ambiguous,
                            &Score::watched,
                            &Score::alarms,
                            &Score::tests})
    this->*member += other.*member;
  for (const auto& [count, campaigns] : other.rounds)
    rounds[count] += campaigns;
  round_sum += other.round_sum, round_squares += other.round_squares;
}

void score_answer(Score& score, const Said& said, const World& world, double scored_from) {
  const auto said_of = [&](const Component& truth, bool faulty_only) {
    return std::ranges::any_of(said.located, [&](const Located& each) {
      return !each.path &&
             (faulty_only ? each.standing == Standing::faulty : each.standing >= Standing::unresolved) &&
             (finds(each.component, truth) ||
              (!faulty_only && std::ranges::any_of(each.rivals, [&](const Suspect& rival) {
                return finds(rival.component, truth);
              })));
    });
  };
  std::set<int> with_fault;
  for (const auto& fault : world.planted()) {
    const Component& truth = fault.component;
    if (truth.of_host()) with_fault.insert(truth.node);
    if (fault.severity < scored_from) continue;
    const bool found = said_of(truth, true);
    if (truth.of_host()) {
      score_host(score, fault, found, said.nodes[at(truth.node)], is_behind_slower(fault, world));
    } else if (fault.permanent() && truth.kind == Kind::leaf) {
      ++score.leaves, score.leaves_found += found ? 1 : 0;
    } else if (fault.permanent()) {
      ++score.uplinks, score.uplinks_found += found ? 1 : 0;
      score.uplinks_listed += found || said_of(truth, false) ? 1 : 0;
    }
  }
  std::set<int> accused;
  for (const auto& each : said.located) {
    if (each.standing == Standing::ambiguous) ++score.ambiguous;
    if (each.standing != Standing::faulty) continue;
    ++score.faulty_found;
    const bool right = std::ranges::any_of(world.planted(), [&](const Planted& fault) {
      return fault.component.kind == each.component.kind && finds(each.component, fault.component);
    });
    score.right_class += right ? 1 : 0;
    if (each.component.of_host() && !with_fault.contains(each.component.node))
      accused.insert(each.component.node);
  }
  const std::size_t nodes = said.nodes.size();
  score.accused += accused.size(), score.healthy += nodes - with_fault.size();
  score.node_campaigns += nodes;
  for (std::size_t node = 0; node < nodes; ++node)
    score.watched +=
        said.nodes[node] == Standing::watch && !with_fault.contains(static_cast<int>(node)) ? 1 : 0;
  ++score.trials;
}

Topology known_topology(const Topology& truth, Known known, double wrong_leaf, std::uint64_t seed) {
  if (known == Known::nothing) return unknown_topology(truth.nodes, truth.rails);
  Topology told = truth;
  if (known == Known::leaves) told.uplinks = 0;
  Random random(seed, 0x707);
  for (int node = 0; node < told.nodes && wrong_leaf > 0 && told.groups > 1; ++node) {
    if (!random.chance(wrong_leaf)) continue;
    const int here = truth.leaf_of(node, 0) / truth.rails;
    const int there = (here + 1 + static_cast<int>(random.below(at(truth.groups - 1)))) % truth.groups;
    for (int rail = 0; rail < told.rails; ++rail)
      told.leaf[at(node * told.rails + rail)] = there * told.rails + rail;
  }
  group_by_leaves(told);
  return told;
}

Held held(const TrialPlan& plan, std::uint64_t seed) {
  WorldKnobs knobs = plan.knobs;
  knobs.hashed |= plan.known != Known::uplinks;
  World world(knobs, seed);
  if (plan.planted.empty())
    world.plant_faults();
  else
    for (const auto& fault : plan.planted)
      world.plant(fault);
  Campaign campaign({.seed = seed, .id = seed, .rules = plan.rules, .watched = {}},
                    known_topology(world.topology(), plan.known, plan.wrong_leaf, seed));
  while (!campaign.ended())
    campaign.observe(world.measure(seed, campaign.round(), campaign.planned()));
  return {std::move(world), std::move(campaign)};
}

Score trial(const TrialPlan& plan, std::uint64_t seed) {
  const auto [world, campaign] = held(plan, seed);
  Score score;
  const Judgement& judgement = campaign.judgement();
  score_answer(score, {judgement.located, judgement.nodes}, world, plan.scored_from);
  score.add_rounds(campaign.round());
  score.tests = campaign.tests_planned();
  score.alarms = judgement.alarm.empty() ? 0 : 1;
  return score;
}

}  // namespace mlc::fleet
