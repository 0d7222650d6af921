// Which rank is at fault when a run stops moving, from what is known of all of them. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "reports/record/report.hpp"

namespace mlc {

struct RankState {
  int rank = 0;
  std::string node;
  std::uint64_t sequence = 0;  // counts phases and operations begun; equal on ranks in the same operation
  std::string phase;
  double unchanged_s = 0;  // since the sequence last moved
  double silent_s = 0;     // since anything was heard of the rank
};

std::string rank_on_node(int rank, const std::string& node);  // "rank 2 on gpu-b"

// Nothing moved for `timeout_s`. Silent ranks first (stopped, or their node is gone), then ranks behind the
// others (they never entered the operation the others wait in), else all are inside one operation and the
// transport is suspect.
ErrorEntry blame_for_hang(std::span<const RankState> ranks, double timeout_s);

// A rank's connection ended without a word.
ErrorEntry blame_for_death(const RankState& rank);

// Before the ranks can talk to each other: who of `size` is known to have started on this node.
ErrorEntry blame_for_missing(int size, std::span<const int> present_here, int expected_here,
                             const std::string& node, double timeout_s);

}  // namespace mlc
