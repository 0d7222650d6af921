// A campaign as it was held: whoever has it decodes it again. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "bench/fleet/localisation/campaign.hpp"
#include "bench/fleet/measurement/coordinator.hpp"
#include "bench/fleet/measurement/round_record.hpp"

namespace mlc::fleet {

struct CampaignRecord {
  CampaignHeader header;
  std::vector<RoundRecord> rounds;
  bool operator==(const CampaignRecord&) const = default;
};

nlohmann::json to_json(const CampaignRecord& record);
// Throws std::runtime_error.
CampaignRecord campaign_record_from(const nlohmann::json& json);

// Whose rounds these are, in so far as a topology has to do with it.
std::string topology_digest(const Topology& topology);

// Observes its rounds again. Throws std::runtime_error: rounds in another order, more than there can be or
// fewer than it takes; another topology than it was held with.
Campaign replayed(const CampaignRecord& record, const Rules& rules, Topology topology);

// How it was held, as its coordinator said it then.
CampaignEnd end_of(const CampaignRecord& record);

}  // namespace mlc::fleet
