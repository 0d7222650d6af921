#include "bench/burnin/fabric_record.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "reports/record/text.hpp"

namespace mlc {

nlohmann::json to_json(const FabricRecord& record) {
  nlohmann::json json{
      {"trouble", record.trouble}, {"members", nlohmann::json::array()}, {"stages", nlohmann::json::array()}};
  for (const auto& member : record.members)
    json["members"].push_back(
        {{"node", member.node}, {"boot_id", member.boot_id}, {"witness", member.witness}});
  for (const auto& stage : record.stages) {
    json["stages"].push_back({{"stage", stage.stage},
                              {"left_out", stage.left_out},
                              {"seen", fleet::to_json(stage.seen)},
                              {"trouble", stage.trouble}});
    if (stage.campaign) json["stages"].back()["campaign"] = fleet::to_json(*stage.campaign);
  }
  return json;
}

FabricRecord fabric_record_from(const nlohmann::json& json) {
  try {
    FabricRecord record{.members = {}, .stages = {}, .trouble = json.at("trouble").get<std::string>()};
    for (const auto& member : json.at("members"))
      record.members.push_back({printable(member.at("node").get<std::string>(), 253),
                                printable(member.at("boot_id").get<std::string>(), 64),
                                member.at("witness").get<bool>()});
    for (const auto& stage : json.at("stages")) {
      record.stages.push_back({.stage = stage.at("stage").get<std::string>(),
                               .left_out = stage.at("left_out").get<std::vector<int>>(),
                               .seen = fleet::observations_from_json(stage.at("seen")),
                               .campaign = {},
                               .trouble = stage.at("trouble").get<std::string>()});
      if (stage.contains("campaign"))
        record.stages.back().campaign = fleet::campaign_record_from(stage.at("campaign"));
    }
    return record;
  } catch (const nlohmann::json::exception& error) {
    throw std::runtime_error(std::string("the record of a fabric stage cannot be read: ") +
                             printable(error.what()));
  }
}

bool is_campaign(const BurninStage& stage) { return stage.command.front() == "fleet"; }

std::vector<int> seats_in(const FabricRecord& record, const fleet::CampaignRecord& campaign) {
  std::vector<int> seats;
  for (const auto& node : campaign.header.nodes) {
    const auto found = std::ranges::find(record.members, node, &FabricMember::node);
    seats.push_back(found == record.members.end() ? -1 : static_cast<int>(found - record.members.begin()));
  }
  return seats;
}

bool meets_by_itself(const BurninStage& stage) { return stage.command.front() == "rdma"; }

fleet::Asked asked_of(const Policy& policy, const BurninStage& stage, std::size_t left_out) {
  const bool rails =
      meets_by_itself(stage) && policy.target && std::ranges::none_of(stage.command, [](const auto& word) {
        return word.starts_with("--rails") || word.starts_with("--devices");
      });
  return {.partners = std::max(1, policy.dispatch.partners - static_cast<int>(left_out)),
          .rails = rails ? policy.target->rails : 0};
}

fleet::Outcome outcome_of(const FabricRecord& record, const FabricStageRecord& held, const Policy& policy,
                          const BurninStage& stage) {
  std::vector<std::string> names;
  for (const auto& member : record.members)
    names.push_back(member.node);
  auto outcome = fleet::place_blame(names, held.seen, asked_of(policy, stage, held.left_out.size()));
  if (!held.trouble.empty())
    for (auto& node : outcome.nodes)
      if (node.status == Status::unknown) node.why.push_back(held.trouble);
  return outcome;
}

}  // namespace mlc
