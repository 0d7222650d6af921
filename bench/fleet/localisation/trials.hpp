// Campaigns in worlds with planted faults, and how often they are right. Pure; trials may run in threads of
// the caller's, each is a function of its seed.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/fleet/localisation/campaign.hpp"
#include "bench/fleet/localisation/world.hpp"

namespace mlc::fleet {

// What the campaign is told of the fabric.
enum class Known { uplinks, leaves, nothing };

struct TrialPlan {
  WorldKnobs knobs;
  Rules rules;
  Known known = Known::uplinks;
  double wrong_leaf = 0;         // share of the nodes that the topology has in another leaf
  std::vector<Planted> planted;  // instead of the usual mix, where there is any
  double scored_from = 0;        // faults of less severity count for nothing, found or not
};

// Counts over trials; all sums, so that trials add up in any order.
struct Score {
  std::size_t trials = 0, node_campaigns = 0;
  std::size_t hosts = 0, missed = 0, silent = 0;  // permanent faults of nodes and ends, not masked
  std::size_t masked = 0;                         // of all permanent ones: behind something slower
  std::size_t accused = 0, healthy = 0;           // healthy nodes
  std::size_t faulty_found = 0, right_class = 0;  // FAULTY findings, and those that are true
  std::size_t leaves = 0, leaves_found = 0, uplinks = 0, uplinks_found = 0, uplinks_listed = 0;
  std::size_t intermittent = 0, intermittent_found = 0, intermittent_silent = 0;
  std::size_t ambiguous = 0, watched = 0, alarms = 0;
  std::size_t tests = 0;
  std::map<int, std::size_t> rounds;  // trials that took so many
  double round_sum = 0, round_squares = 0;

  void add(const Score& other);
  void add_rounds(int count);
  int rounds_below(double share) const;  // that share of the trials took no more
};

// A world with its faults, and the campaign that was held in it, to its end.
struct Held {
  World world;
  Campaign campaign;
};
Held held(const TrialPlan& plan, std::uint64_t seed);

// Of the trials that go by one seed; far from each other, so that neighbouring seeds share none.
inline std::uint64_t trial_seed(std::uint64_t seed, int number) {
  return seed * 1'000'003 + static_cast<std::uint64_t>(number);
}

// One campaign with this program's schedule and decoder.
Score trial(const TrialPlan& plan, std::uint64_t seed);

// What was said of a world, whoever said it, against what was planted.
struct Said {
  std::vector<Located> located;
  std::vector<Standing> nodes;
};
void score_answer(Score& score, const Said& said, const World& world, double scored_from);

// The topology as it is told, from the one that is.
Topology known_topology(const Topology& truth, Known known, double wrong_leaf, std::uint64_t seed);

}  // namespace mlc::fleet
