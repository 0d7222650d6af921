// Who meets whom next. Pure.
#pragma once

#include <vector>

#include "bench/fleet/observation.hpp"
#include "bench/rdma/pairing.hpp"

namespace mlc::fleet {

using rdma::Meeting;

struct Progress {
  std::vector<bool> witness;  // one for each node: known to be good, and not the one that is asked about
  std::vector<bool> out;      // meets nobody any more: gone, or at fault
  std::vector<Meeting> met;   // tried, whatever came of it
  // Meetings that came to an answer, and those of them that were bad, by node.
  std::vector<int> decided, bad;

  void add(const Meeting& meeting, const std::vector<Observation>& seen);
};

// What is enough to say which end of a bad meeting is at fault (blame.hpp).
inline constexpr int least_to_blame = 3;

// The next round: meetings of which no two share a node, for all to be held at the same time. Each new node
// meets `partners` others, and a node in trouble, and who met it, at least least_to_blame. Witnesses meet
// each other only in rounds that are held anyway, and only until each has an answer beside the node that is
// asked about. Empty: nobody needs another, or there is nobody left to meet.
std::vector<Meeting> next_round(const Progress& progress, int partners);

// Of `count` nodes, none met yet.
Progress nothing_met(const std::vector<bool>& witness);

}  // namespace mlc::fleet
