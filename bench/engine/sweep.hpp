// From what the user asked for to the list of things to measure. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/collectives/collective.hpp"
#include "reports/record/size_range.hpp"
#include "reports/record/usage_error.hpp"

namespace mlc {

// One thing to measure.
struct Cell {
  const Collective* collective = nullptr;
  Dtype dtype = Dtype::float32;
  Redop redop = Redop::sum;
  int root = 0;
  Placement placement = Placement::out_of_place;
  std::uint64_t requested_bytes = 0, bytes = 0, count = 0;
};

struct Sweep {
  std::vector<Cell> cells;
  std::vector<std::uint64_t>
      too_small;  // requested sizes that round to nothing for this dtype and number of ranks
};

struct SweepRequest {
  const Collective* collective = nullptr;
  std::vector<std::uint64_t> sizes;
  std::vector<Dtype> dtypes{Dtype::float32};
  std::vector<Redop> redops{Redop::sum};
  std::vector<Placement> placements{Placement::out_of_place, Placement::in_place};
  int root = 0;
};

// Sizes that round to the same count are measured once. Throws UsageError where a placement that is asked for
// alone does not exist, an average would be zero whatever is sent, or nothing is left to measure.
Sweep plan(const SweepRequest& request, int ranks);

// "allreduce 1 MiB float sum out-of-place"
std::string describe(const Cell& cell);

}  // namespace mlc
