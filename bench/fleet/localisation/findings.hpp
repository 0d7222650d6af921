// What is said of a campaign to people and programs: where, how sure, who else it could be, what to do. Pure.
#pragma once

#include <span>
#include <string>

#include "bench/fleet/localisation/campaign.hpp"
#include "reports/record/verdict.hpp"

namespace mlc::fleet {

// "node gpu-7, rail 2, sending", "leaf leaf3, rail 1", "uplink 13 of leaf leaf3, rail 1, down".
std::string location_of(const Component& component, const Topology& topology,
                        std::span<const std::string> names);
std::string location_of(const Located& located, const Topology& topology, std::span<const std::string> names);

// What is told in one breath, from the worst standing on: a place, or all paths between the same two leaves
// over a rail, the worst first. A broken uplink is many paths, and one thing to look at.
using Told = std::vector<Located>;
std::vector<Told> told_together(const Judgement& judgement, const Topology& topology);

// Of one place as above; "41 paths from leaf a1 to leaf b1, rail 1".
std::string location_of(const Told& told, const Topology& topology, std::span<const std::string> names);
// "28.0 % of the rate is lost", "carries nothing"; of paths the worst.
std::string loss_text(const Told& told);

// "round 2, gpu-7 to gpu-9, rail 2: 61 % of what is usual".
std::string evidence_text(const FlowEvidence& each, std::span<const std::string> names);

// What to do about it, and who does. Never a taint for what is of no node.
std::string remedy_of(const Located& located);
// Whose fault it is: a node is taken out, or the network's people are told.
bool taints_a_node(const Located& located);

// fail: anything FAULTY or PATH; inconclusive: somebody is AMBIGUOUS, UNRESOLVED, MASKED or LOST.
Decision decision_of(const Judgement& judgement);

// "1021 clean, 2 faulty, 1 ambiguous, 5 rounds"
std::string summary_of(const Campaign& campaign, bool accuses = true);

// A line each, with the strongest evidence under those that are accused. Where what was measured is no node's
// (`accuses` false), what would be faulty is unresolved.
std::string findings_text(const Campaign& campaign, std::span<const std::string> names, bool accuses = true);

}  // namespace mlc::fleet
