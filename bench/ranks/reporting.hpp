// Who tells whom where it stands, and how often. Pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "bench/ranks/roll_call.hpp"

namespace mlc {

// Up to this many ranks all speak to rank 0; above, one rank of each node (its lowest) hears the others there
// and speaks for them.
inline constexpr std::size_t most_that_speak_alone = 64;

// For each rank the one that it reports to; -1 for rank 0. `nodes` by rank.
std::vector<int> report_to(std::span<const std::string> nodes);

// Whom `rank` hears of, by whose connection: rank 0 of everybody, a node's speaker of its node.
std::vector<Expected> heard_by(int rank, std::span<const std::string> nodes, std::span<const int> report_to);

// Seconds between two heartbeats, the same on all ranks: 0.25, or in a large job a millisecond for each
// connection of rank 0 or a quarter for each rank, 4 at the most. A heartbeat costs rank 0 about 8 us a
// connection and 1.5 us a rank (roll_call_bench), so that its watch stays below 1 % of a core.
double heartbeat_interval(std::span<const int> report_to);

}  // namespace mlc
