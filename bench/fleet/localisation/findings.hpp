// What is said of a campaign to people and programs: where, how sure, who else it could be, what to do. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "bench/fleet/localisation/campaign.hpp"
#include "reports/record/verdict.hpp"

namespace mlc::fleet {

// "node gpu-7, rail 2, sending", "leaf leaf3, rail 1", "uplink 13 of leaf leaf3, rail 1, down".
std::string location_of(const Component& component, const Topology& topology,
                        std::span<const std::string> names);
std::string location_of(const Located& located, const Topology& topology, std::span<const std::string> names);

// What to do about it, and who does. Never a taint for what is of no node.
std::string remedy_of(const Located& located);
// Whose fault it is: a node is taken out, or the network's people are told.
bool taints_a_node(const Located& located);

// fail: anything FAULTY or PATH; inconclusive: somebody is AMBIGUOUS, UNRESOLVED, MASKED or LOST.
Decision decision_of(const Judgement& judgement);

// "1021 clean, 2 faulty, 1 ambiguous, 5 rounds"
std::string summary_of(const Campaign& campaign);

// A line each, with the strongest evidence under those that are accused.
std::string findings_text(const Campaign& campaign, std::span<const std::string> names);
nlohmann::json findings_json(const Campaign& campaign, std::span<const std::string> names);

}  // namespace mlc::fleet
