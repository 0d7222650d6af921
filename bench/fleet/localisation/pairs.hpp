// Who meets whom in a round, and over which uplinks. Pure, and the same on every agent: each computes the
// whole round from what was broadcast, in whatever order it came, and takes its own line of it.
//
// Round 1 is inside leaves, round 2 between them; what is suspected in round 1 meets a clean node of its own
// leaf there. After that only suspects meet, clean nodes of another leaf and of their own in turn: the rest
// is released. Up to eight nodes every two meet (circle method), two nodes three times, and three or four
// again while one of them is open.
#pragma once

#include <algorithm>
#include <cstdint>
#include <unordered_set>
#include <vector>

#include "bench/fleet/localisation/judgement.hpp"

namespace mlc::fleet {

// Who has met already.
class Met {
 public:
  void add(int one, int other) { pairs_.insert(key(one, other)); }
  bool contains(int one, int other) const { return pairs_.contains(key(one, other)); }

 private:
  static std::uint64_t key(int one, int other) {
    const auto least = static_cast<std::uint64_t>(std::min(one, other));
    return least << 32 | static_cast<std::uint64_t>(std::max(one, other));
  }
  std::unordered_set<std::uint64_t> pairs_;
};

struct RoundQuestion {
  std::uint64_t seed = 0;
  int round = 1;
  std::vector<int> participants;  // whose agents live
  std::vector<int> suspects;      // in any order, as are the next
  std::vector<int> bad;           // FAULTY: nobody's partners
  std::vector<int> first;         // rested, or were not measured: they go before others
  std::vector<int> doubtful;      // on some list: partners only where there is no clean one
  std::vector<OpenUplink> uplinks;
  std::vector<PathPlace> paths;  // the same two again
};

inline constexpr int most_nodes_for_all_pairs = 8;

// Rounds until every two have met, of two nodes three times; as many as have to be held.
int rounds_until_all_met(int nodes);
// Rounds that a campaign of so many nodes has at most: three or more that have all met before `wanted` meet
// again while one of them is open.
int rounds_of(int nodes, int wanted);

// No node is in two of them.
std::vector<PlannedTest> pairs(const RoundQuestion& question, const Topology& topology, const Met& met);

}  // namespace mlc::fleet
