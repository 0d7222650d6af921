// The policy's thresholds and what is measured, brought together. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "validators/policy/policy.hpp"

namespace mlc {

struct RunShape {
  std::string backend;
  int ranks = 1, nodes = 1;
  bool operator==(const RunShape&) const = default;
};

// One measurement as the report names it, done or to be done.
struct Measured {
  std::string_view collective, dtype;
  std::string_view redop;  // empty where nothing is reduced
  std::string_view placement;
  std::uint64_t requested_bytes = 0, bytes = 0;
  double bus_factor = 1;  // busbw = algbw x factor, at this number of ranks
};

// Sizes that the policy names for this collective, backend and shape: part of the sweep where the user gives
// no sizes.
std::vector<std::uint64_t> policy_sizes(const Policy& policy, std::string_view collective,
                                        const RunShape& shape);

// The strictest threshold that applies; null where none does. Time and bandwidth are two ways to say the
// same, so one suffices.
const Threshold* strictest_threshold(const Measured& measured, const Policy& policy, const RunShape& shape);

// In words: thresholds that apply to this run but match nothing that was measured; or, where the policy has
// thresholds for this collective but none for a run of this shape, that.
std::vector<std::string> unmeasured(std::span<const Measured> all, const Policy& policy,
                                    std::string_view collective, const RunShape& shape);

// In words: thresholds for up to so many nodes, each at each of its sizes, that none of these runs measured.
struct MeasuredRun {
  std::string collective;
  RunShape shape;
  std::vector<Measured> all;
};
std::vector<std::string> never_measured(std::span<const MeasuredRun> runs, const Policy& policy, int nodes);

}  // namespace mlc
