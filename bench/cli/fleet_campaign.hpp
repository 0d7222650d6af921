// A campaign over the nodes that a launcher started this program on, one process a node.
#pragma once

#include <string>
#include <vector>

#include "bench/cli/fleet_options.hpp"
#include "bench/cli/output_options.hpp"
#include "bench/fleet/localisation/judgement.hpp"
#include "reports/record/exit_code.hpp"

namespace mlc {

// What is asked, understood already.
struct FleetQuestion {
  std::uint64_t seed = 1;
  fleet::Rules rules;
  std::string hosts, topology;  // as typed
  OutputOptions output;
};

// Throws UsageError, BackendError.
ExitCode run_fleet_campaign(const FleetCampaignOptions& options, const FleetQuestion& question,
                            const std::vector<std::string>& arguments);

}  // namespace mlc
