// What others do to find a bad node by pairs, in the same world: what the decoder is to be compared with.
// Each is its published or evident rule, and no more. Pure.
#pragma once

#include <span>
#include <string_view>

#include "bench/fleet/localisation/trials.hpp"

namespace mlc::fleet {

struct Baseline {
  std::string_view name, about;
  int most_nodes;  // above which it takes too long to be of use
  Score (*trial)(const TrialPlan& plan, std::uint64_t seed);
};

std::span<const Baseline> baselines();

}  // namespace mlc::fleet
