// The policy's thresholds and the cells of a sweep, brought together. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/engine/runner.hpp"
#include "validators/policy/policy.hpp"

namespace mlc {

struct RunShape {
  std::string backend;
  int ranks = 1, nodes = 1;
};

// Sizes that the policy names for this collective, backend and shape: part of the sweep where the user gives
// no sizes.
std::vector<std::uint64_t> policy_sizes(const Policy& policy, const Collective& collective,
                                        const RunShape& shape);

// The strictest threshold that applies to a cell. Time and bandwidth are two ways to say the same, so one
// suffices.
std::optional<Question> question_for(const Cell& cell, const Policy& policy, const RunShape& shape);

// In words: thresholds that apply to this run but match none of the cells; or, where the policy has
// thresholds for this collective but none for a run of this shape, that.
std::vector<std::string> unmeasured(const std::vector<Cell>& cells, const Policy& policy,
                                    const Collective& collective, const RunShape& shape);

}  // namespace mlc
