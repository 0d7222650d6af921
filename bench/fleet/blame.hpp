// Which end of bad meetings is at fault. Pure.
//
// An end is a rail of a node, or the node as a whole. The model: an end at fault makes its own meetings bad
// and nobody else's. So an end with a good meeting is good, as far as that goes, and:
//  - an end that has no good meeting is at fault if it met at least three others and the majority of them are
//  good
//    elsewhere;
//  - an end that is bad with some and good with others is at fault only if those are the majority of at least
//  three,
//    and it alone explains every bad meeting that is left on its rail;
//  - where all meetings of a rail are bad, it is the rail's fabric: no node is blamed;
//  - all else is told, and decided for nobody.
#pragma once

#include <string>
#include <vector>

#include "bench/fleet/observation.hpp"
#include "bench/fleet/schedule.hpp"
#include "reports/record/finding.hpp"

namespace mlc::fleet {

enum class Way { both, sending, receiving };

struct Fault {
  int node = 0;
  int rail = whole_node;
  Way way = Way::both;
  bool sometimes = false;             // good with some
  std::vector<std::string> evidence;  // "to gpu-b: 87.3 of 200 Gbit/s", worst first
  bool operator==(const Fault&) const = default;
};

struct NodeOutcome {
  Status status = Status::unknown;  // pass, fail or unknown
  std::vector<std::string> why;     // unless a pass
  int good = 0;                     // others that it met over all rails, well
  bool operator==(const NodeOutcome&) const = default;
};

struct Outcome {
  std::vector<NodeOutcome> nodes;
  std::vector<Fault> faults;
  std::vector<std::string> fabric;  // what lies between nodes
  bool at_fault(int node) const;
};

struct Asked {
  int partners = 3;  // that a node must have met
  int rails = 0;     // that each node must have met them over; 0: those that anybody met over
};

Outcome place_blame(const std::vector<std::string>& nodes, const std::vector<Observation>& observations,
                    const Asked& asked);

// "rail 2, sending", "the node as a whole"
std::string end_text(const Fault& fault);

}  // namespace mlc::fleet
