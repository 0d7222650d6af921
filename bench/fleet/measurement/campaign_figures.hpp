// How a campaign was held, as figures of a report: every test, and what queue pairs showed between leaves.
// Pure.
#pragma once

#include "bench/fleet/localisation/campaign.hpp"
#include "bench/fleet/measurement/coordinator.hpp"
#include "reports/record/fleet_figures.hpp"

namespace mlc::fleet {

FleetFigures campaign_figures(const Campaign& campaign, const CampaignEnd& end);

}  // namespace mlc::fleet
