// A fabric that is none: nodes, rails, leaves and uplinks with planted faults and noise, to try schedule,
// decoder and guards in. Every knob is a guess about real fabrics (docs/fleet.md says which); none has been
// measured on one. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/fleet/localisation/components.hpp"
#include "bench/fleet/localisation/random.hpp"
#include "bench/fleet/localisation/test_result.hpp"
#include "bench/fleet/localisation/topology.hpp"

namespace mlc::fleet {

struct WorldKnobs {
  int nodes = 1024, rails = 4, leaf_size = 32, uplinks = 16;
  double faults = .02;            // faulty components over nodes
  double noise = .03;             // CV of a window of a flow
  double rail_spread = .003;      // standard deviation between healthy ends
  double intermittent = .15;      // of the faults, on for .1 to .5 of the time with a period of .1 to 100 s
  double path_share = .25;        // of the faults, in leaves (three of ten) and uplinks
  double least = .03, most = .5;  // severity, log-uniform
  double least_loss = .05, most_loss = .9;                          // of loss in one direction
  double glitch_flow = 1e-3, glitch_test = 1e-3, congested = 5e-4;  // once: a flow, a test, an uplink a round
  double counted = .5;       // of the faults of ends and nodes, that the port's counters show
  double miscounted = 1e-4;  // a healthy end in a test
  double lost_results = 0;   // of tests
  // Which uplink a queue pair takes is the fabric's choice, and stays so between two nodes.
  bool hashed = false;
};

struct Planted {
  Component component;
  double severity = .1;  // 1: carries nothing
  bool counted = false;  // ports of the component show it
  // Comes and goes: on for `duty` of each period.
  bool intermittent = false;
  double duty = 1, period_s = 1, phase = 0;
  int from_round = 1;  // healthy before
  bool permanent() const { return !intermittent; }
};

class World {
 public:
  World(const WorldKnobs& knobs, std::uint64_t seed);

  const Topology& topology() const { return topology_; }  // as it is, not as it may be known
  const std::vector<Planted>& planted() const { return planted_; }
  // As many faults as the knobs say, of the usual mix.
  void plant_faults();
  void plant(const Planted& fault);
  std::vector<TestResult> measure(std::uint64_t campaign, int round, const std::vector<PlannedTest>& tests);

 private:
  Planted any_fault();
  double severity(double least, double most);
  TestResult measure(std::uint64_t campaign, int round, const PlannedTest& test, double glitch);
  FlowResult flow(int round, const PlannedTest& test, int rail, bool back, double glitch);
  void give_shares(FlowResult& flow, const PlannedTest& test, int from, int to, int rail);
  void congest();  // other uplinks than in the round before
  int uplink_taken(const PlannedTest& test, int from, int to, int queue_pair) const;
  int windows_on(const Planted& fault, int round) const;
  int windows_slow(int slow, double severity);

  WorldKnobs knobs_;
  Random random_;
  Topology topology_;
  Components components_;
  std::vector<Planted> planted_;
  std::vector<std::int32_t> fault_of_;  // by component; -1: none
  std::vector<float> spread_;           // by node and rail
  std::vector<float> congested_;        // by component, in this round
  std::vector<ComponentId> congested_ones_;
};

}  // namespace mlc::fleet
