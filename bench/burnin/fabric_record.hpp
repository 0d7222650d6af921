// What a group of nodes saw of each other: the leader sends it to all, and each finds its own outcome in it.
// Pure.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bench/fleet/blame.hpp"
#include "bench/fleet/measurement/campaign_record.hpp"
#include "validators/policy/policy.hpp"

namespace mlc {

struct FabricMember {
  std::string node, boot_id;
  bool witness = false;
  bool operator==(const FabricMember&) const = default;
};

struct FabricStageRecord {
  std::string stage;
  std::vector<int> left_out;                      // members at fault in a stage before
  std::vector<fleet::Observation> seen;           // of meetings in pairs
  std::optional<fleet::CampaignRecord> campaign;  // of a stage that is one, with all at once
  std::string trouble;                            // why it was not held to its end; empty: it was
  bool operator==(const FabricStageRecord&) const = default;
};

struct FabricRecord {
  std::vector<FabricMember> members;
  std::vector<FabricStageRecord> stages;
  std::string trouble;  // why there are no stages
  bool operator==(const FabricRecord&) const = default;
};

nlohmann::json to_json(const FabricRecord& record);
// Throws std::runtime_error.
FabricRecord fabric_record_from(const nlohmann::json& json);

// One campaign of all members (`fleet`), in place of meetings in pairs.
bool is_campaign(const BurninStage& stage);

// What a campaign came to, by the rules and the topology that the stage's command names. Throws
// std::runtime_error.
using DecodeCampaign = std::function<fleet::Campaign(const BurninStage&, const fleet::CampaignRecord&)>;

// By the campaign's numbers, the members' positions; -1: none of them has that name.
std::vector<int> seats_in(const FabricRecord& record, const fleet::CampaignRecord& campaign);

// Meets over rails by itself, both ends a process of their own; a collective is started at one end for both.
bool meets_by_itself(const BurninStage& stage);

// What each node must have met in this stage. Who was at fault before is met no more, and counts as met.
fleet::Asked asked_of(const Policy& policy, const BurninStage& stage, std::size_t left_out);

fleet::Outcome outcome_of(const FabricRecord& record, const FabricStageRecord& held, const Policy& policy,
                          const BurninStage& stage);

}  // namespace mlc
