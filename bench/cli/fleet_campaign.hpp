// A campaign over the nodes that a launcher started this program on, one process a node.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "bench/cli/fleet_rendezvous.hpp"
#include "bench/cli/output_options.hpp"
#include "bench/fleet/localisation/judgement.hpp"
#include "reports/record/exit_code.hpp"

namespace mlc {

// What only a campaign over nodes has; as typed.
struct FleetCampaignOptions {
  std::string policy = "local", engine = "auto", interfaces, devices, depth = "64", message_size = "64K",
              rate, test_time = "1.5s", warm_up = "500ms", deadline = "6s", keep, resume;
  FleetMemberOptions member;

  void add_to(CLI::App& command);
};

// What it has in common with what is simulated and planned; understood already.
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
