// Rates become shares of what is usual between such nodes, with the spread that is usual there. Pure.
#pragma once

#include <array>
#include <vector>

#include "bench/fleet/localisation/test_result.hpp"
#include "bench/fleet/localisation/topology.hpp"

namespace mlc::fleet {

struct Stratum {
  std::size_t flows = 0;
  double median = 1;  // of the target
  double sigma = .006;
};

// Of flows inside a leaf, and of those between leaves (or where that is not known).
struct Strata {
  Stratum inside, between;
  // Below 16 nodes the fleet is no measure of itself (two bad nodes of five are the median): the target is,
  // and each test's own standard error.
  bool by_target = false;
  // Then: of the target, what the best tenth of the flows reach, for no NIC fills a link to the last bit; but
  // more than `most_short` below the target is a fault of all of them.
  double reach = 1;
};

// With 5 %, of the faults of one of two nodes 3 % were silent, with 2 % 0.1 %, with this none of 1,000
// (fleet --simulate --nodes 2 --faults 50% --known none --guards off --path-faults 0 --intermittent 0
// --counted 0% --trials 1000 --seed 200).
inline constexpr double most_short = .015;

inline constexpr int least_nodes_for_strata = 16;
inline constexpr double least_sigma = .004;

Strata strata_of(const std::vector<MeasuredTest>& tests, const Topology& topology, int participants);

struct Normalised {
  double rate = 1, sigma = .006;
};

Normalised normalised(const FlowResult& flow, const Strata& strata, bool inside);

// A queue pair's share beside its best siblings: healthy ones fill the line that a slow one leaves. Of the
// two best, or of the best where they differ by more than 10 %; of an equal part where even that is below
// half.
std::array<double, queue_pairs> beside_siblings(const std::array<double, queue_pairs>& shares);

// Of shares beside their siblings: 1 and share_sigma, or what these show where they spread more. Beside the
// two best of four, noise alone leaves the usual one below 1: in a noisy fabric all uplinks would look slow,
// the more the oftener they are tested. Reorders them.
Stratum stratum_of_shares(std::vector<double>& shares);

}  // namespace mlc::fleet
