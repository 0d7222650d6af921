// What the decoder is given: a campaign's flows, once as whole flows (who of node, rail, direction and leaf
// is slow), once as queue pairs (which uplink is). Pure.
#pragma once

#include <vector>

#include "bench/fleet/localisation/components.hpp"
#include "bench/fleet/localisation/decoder.hpp"
#include "bench/fleet/localisation/normalised.hpp"

namespace mlc::fleet {

// Where a flow of the problem came from.
struct FlowPlace {
  std::uint32_t test = 0;
  std::uint8_t rail = 0, queue_pair = 0;
  bool back = false;  // second sends
};

struct FlowProblem {
  Problem problem;
  std::vector<FlowPlace> places;  // by flow
  std::vector<float> rates;       // by flow, normalised; 0 where dead
};

// `watched`: nodes that an earlier campaign had on its list, one nat nearer to a fault; may be empty.
FlowProblem flow_problem(const std::vector<MeasuredTest>& tests, const Topology& topology,
                         const Components& components, const Strata& strata,
                         const std::vector<bool>& watched);

// Only flows between leaves cross uplinks. Empty where no uplinks are known.
FlowProblem uplink_problem(const std::vector<MeasuredTest>& tests, const Topology& topology,
                           const Components& components);

// What counters add to a component's log odds, by component; never enough to accuse alone.
std::vector<float> counter_bonus(const std::vector<MeasuredTest>& tests, const Components& components,
                                 int rails);

}  // namespace mlc::fleet
