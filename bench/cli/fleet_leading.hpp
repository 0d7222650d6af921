// What index 0 of a campaign does beside its part as a node: holds it, keeps its rounds, tells what came of
// it.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "bench/cli/fleet_campaign.hpp"
#include "bench/cli/fleet_rendezvous.hpp"
#include "bench/fleet/localisation/topology_readers.hpp"
#include "bench/fleet/measurement/campaign_folder.hpp"
#include "validators/policy/policy.hpp"

namespace mlc {

// SIGINT and its like, for the coordinator and the agent of one process: whichever hears it first tells both.
class FleetStop {
 public:
  bool given(double seconds);  // waits no longer than so long

 private:
  std::atomic<bool> given_{false};
};

// All throw UsageError. Text of the file, as short as it can be said (topology_to_carry).
std::string fleet_topology_text(const std::string& topology_file);
fleet::Topology fleet_topology(const std::string& topology_file, const std::vector<std::string>& nodes,
                               int rails);
std::optional<fleet::CampaignFolder> fleet_folder(
    const FleetCampaignOptions& options);  // of --keep or --resume

// `arguments`: the command line, for the report.
ExitCode lead_fleet_campaign(const FleetCampaignOptions& options, const FleetQuestion& question,
                             Policy policy, FleetRendezvous rendezvous,
                             std::optional<fleet::CampaignFolder> folder, FleetStop& stop,
                             const std::vector<std::string>& arguments);

}  // namespace mlc
