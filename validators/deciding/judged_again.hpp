// A threshold that a report says was met, judged again: by this policy's bound, from the figures that the
// series shows. Pure.
#pragma once

#include <string>

#include "reports/record/series.hpp"
#include "validators/policy/policy.hpp"

namespace mlc {

// Why the series does not show that it meets `asked`, in words that follow its name; empty where it does.
// `nodes`: how many machines it ran on. `admission`: observed for as long as the policy asks of a burn-in.
std::string not_shown_to_meet(const Series& series, int nodes, const Threshold& asked,
                              const Confidence& confidence, bool admission);

}  // namespace mlc
