// A campaign over a fleet, as far as a page or another program wants more than its findings: how it was held,
// and where each node stands.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mlc {

struct NodeStanding {
  std::string name;
  std::string standing;  // "CLEAN", "FAULTY", ... (bench/fleet/localisation/judgement.hpp)
  int tests = 0, partners = 0;
  double worst_ratio = 0;  // of its flows, over what is usual; 0: none came through, or none was measured
  bool operator==(const NodeStanding&) const = default;
};

struct FleetFigures {
  std::uint64_t seed = 0;
  int rounds = 0, most_rounds = 0, rails = 0;
  std::uint64_t tests = 0, not_measured = 0;  // tests: planned
  std::string engine;                         // "tcp", "verbs"
  double target_gbit_s = 0;                   // of a rail, one way
  bool target_inferred = false;               // it is what the fastest tenth of the flows reached
  double floor = 0, confidence = 0;           // share of the rate; nats
  std::string topology;                       // what it was read from
  int groups = 0;                             // of nodes that share their leaves
  double coverage = 0;                        // share of the nodes that the topology has
  std::string alarm;                          // of the fleet as a whole; empty: none
  std::vector<std::string> troubles;          // tests that came to nothing, and why
  std::vector<NodeStanding> nodes;
  bool operator==(const FleetFigures&) const = default;
};

}  // namespace mlc
