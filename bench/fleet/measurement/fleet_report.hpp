// A campaign as a report has it: a finding for each place that is not clean and one for all the nodes that
// are, and the figures of how it was held. Pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "bench/fleet/localisation/campaign.hpp"
#include "bench/fleet/measurement/coordinator.hpp"
#include "reports/record/report.hpp"

namespace mlc::fleet {

void add_campaign(Report& report, const Campaign& campaign, const CampaignEnd& end);

// The same for the report of one of its nodes, which answers for itself alone: what is at fault elsewhere is
// told (fleet.elsewhere, a skip) and decides nothing; what it did to this node, its own standing says.
void add_campaign_of(Report& report, const Campaign& campaign, const CampaignEnd& end, int node);

}  // namespace mlc::fleet
