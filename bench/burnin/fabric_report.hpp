// One node's report of a fabric stage: what it measured itself, what the group's record says of it, and what
// it showed alone before. Pure.
#pragma once

#include <optional>
#include <string>

#include "bench/burnin/fabric_member.hpp"
#include "reports/record/report.hpp"

namespace mlc {

// Adds to `report`, which has tool, run and this node, the stages of `plan`. Meetings that were bad by
// another's fault are told and not counted.
void add_fabric_stages(Report& report, const Policy& policy, const BurninPlan& plan, const FabricEnd& end,
                       const DecodeCampaign& decode);

// The report of the local stages in front of it: its stages, findings, series and beginning.
void add_local_stages(Report& report, const Report& local);

// Why the local report does not go with this run: another boot, machine, policy or program; empty where it
// does.
std::string not_of_this_run(const Report& local, const Report& run);

}  // namespace mlc
