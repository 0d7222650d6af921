// One judgement in the making: the flows, what explains them, and the standing of each explanation. Pure;
// seen by judgement.cpp, guards.cpp and evidence.cpp alone.
#pragma once

#include <vector>

#include "bench/fleet/localisation/judgement.hpp"
#include "bench/fleet/localisation/problems.hpp"

namespace mlc::fleet {

// A decoded problem, and how far each explanation is believed.
struct Weighing {
  Weighing(FlowProblem given, double rivals_within)
      : flows(std::move(given)), decoder(flows.problem, rivals_within) {}
  Weighing(const Weighing&) = delete;
  Weighing& operator=(const Weighing&) = delete;

  FlowProblem flows;
  Decoder decoder;
  std::vector<Standing> standings;  // of each explanation
  std::vector<char> believed;       // by component: explains, and is no transient
  std::vector<std::string> why;     // of each explanation
};

void stand(Weighing& weighing, const Gathered& gathered, const Components& components, const Rules& rules,
           int participants);

// An end with a leaf's fault elsewhere, and many ends with one fault, are no faults of ends.
void guard_map(Weighing& weighing, const Components& components, const Topology& topology);
void guard_group(Weighing& weighing, const Components& components, const Topology& topology);
// More than a tenth of the fleet is accused: that is the fleet, or the measurement. The sentence, or nothing.
std::string guard_mass(Weighing& weighing, const Components& components, int participants);

inline constexpr double slow_for_all = .95;  // of what it should be; below it is no node's fault

// A rail over which no two of three nodes or more come through, or, where leaves are not known, reach what
// they should: the names of the interfaces, the fabric, the measurement. The sentence, or nothing.
std::string guard_rails(Weighing& weighing, const Components& components, const Topology& topology,
                        int participants);

// The strongest flows for and against.
void add_evidence(Located& located, const Explanation& explanation, const Weighing& weighing,
                  const Gathered& gathered, bool by_queue_pair);

}  // namespace mlc::fleet
