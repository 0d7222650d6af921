// A campaign over a fleet, as far as a page or another program wants more than its findings: how it was held,
// and where each node stands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mlc {

// What a campaign is held by unless its command says otherwise: a share of the rate, nats.
inline constexpr double usual_floor = .05, usual_confidence = 5;

struct NodeStanding {
  std::string name;
  std::string standing;  // "CLEAN", "FAULTY", ... (bench/fleet/localisation/judgement.hpp)
  int tests = 0, partners = 0;
  double worst_ratio = 0;  // of its flows, over what is usual; 0: none came through, or none was measured
  std::vector<std::string> leaves;  // [rail]; empty where none is known
  bool operator==(const NodeStanding&) const = default;
};

// Two nodes met, by their positions in FleetFigures::nodes.
struct FleetTest {
  int round = 0, first = 0, second = 0;
  // Of what is usual, 0 for what is dead: [2 rail] what first sent, [2 rail + 1] what second sent.
  std::vector<double> ratios;
  bool operator==(const FleetTest&) const = default;
};

// What queue pairs showed of a way between leaves. A slow uplink is one share that is low, its siblings not.
struct FleetWay {
  int rail = 0;
  std::string leaf;     // that it leaves
  std::string towards;  // another leaf, where it is not known which uplink carries what
  std::optional<int> uplink;
  bool down = false;  // of that uplink, into the leaf
  int queue_pairs = 0;
  double least_share = 0;  // of a queue pair beside its siblings; 0: dead
  bool operator==(const FleetWay&) const = default;
};

// A flow that speaks for a place being at fault, or against it.
struct FleetFlow {
  int round = 0;
  std::string from, to;  // nodes
  int rail = 0;
  std::optional<int> queue_pair;                                // empty: the flow as a whole
  double ratio = 0;                                             // of what is usual; 0: dead
  double nats = 0;                                              // for the place; below zero: against it
  std::vector<std::string> sender_counters, receiver_counters;  // that grew: "port", "transport", "pause"
  bool operator==(const FleetFlow&) const = default;
};

// Where something is at fault, or may be. How sure that is and what else it could be are the decoder's
// (docs/fleet.md).
struct FleetPlace {
  std::string where, standing;
  double severity = 0, margin = 0;  // share of the rate that is lost; nats over any other cause
  int rounds = 0, partners = 0;     // in which, and with whom, it was bad
  std::vector<std::string> rivals;  // other places that would explain it
  std::string why;                  // it is not FAULTY, where it might have been
  std::vector<FleetFlow> evidence_for, evidence_against;  // the strongest: six and three at most
  bool operator==(const FleetPlace&) const = default;
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
  std::string simulated;  // how often a campaign of about this size is right, by simulation; empty: not said
  std::vector<std::string> troubles;  // tests that came to nothing, and why; doubts of the whole
  std::vector<NodeStanding> nodes;
  std::vector<FleetPlace> places;
  std::vector<FleetTest> held;  // tests that came to something, by round
  std::vector<FleetWay> ways;   // between leaves, where any are known
  bool operator==(const FleetFigures&) const = default;
};

}  // namespace mlc
