// What the policy asks of each cell of a sweep. Pure.
#pragma once

#include <optional>

#include "bench/engine/runner.hpp"
#include "validators/deciding/thresholds.hpp"

namespace mlc {

// The strictest threshold that applies to a cell, as the runner asks it. `admission`: with the policy's time
// of observation; else quickly.
std::optional<Question> question_for(const Cell& cell, const Policy& policy, const RunShape& shape,
                                     bool admission);

const char* thresholds_explained();  // for `mlc-bench explain thresholds`

}  // namespace mlc
