#include "bench/fleet/measurement/campaign_record.hpp"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "validators/host/digest.hpp"

namespace mlc::fleet {

namespace {

using Json = nlohmann::json;

}  // namespace

Json to_json(const CampaignRecord& record) {
  Json rounds = Json::array();
  for (const auto& round : record.rounds)
    rounds.push_back(to_json(round));
  return {{"header", to_json(record.header)}, {"rounds", rounds}};
}

CampaignRecord campaign_record_from(const Json& json) {
  try {
    CampaignRecord record{.header = campaign_header_from(json.at("header")), .rounds = {}};
    for (const auto& round : json.at("rounds"))
      record.rounds.push_back(round_record_from(round));
    return record;
  } catch (const Json::exception& error) {
    throw std::runtime_error(error.what());
  }
}

std::string topology_digest(const Topology& topology) {
  std::string places;
  for (const int leaf : topology.leaf)
    places += std::to_string(leaf) + ",";
  return digest_of(places);
}

Campaign replayed(const CampaignRecord& record, const Rules& rules, Topology topology) {
  const auto& header = record.header;
  if (topology_digest(topology) != header.topology)
    throw std::runtime_error("the campaign was held with another topology than is known here");
  if (topology.nodes != static_cast<int>(header.nodes.size()) || topology.rails != header.rails)
    throw std::runtime_error("the campaign was held with other nodes or rails");
  try {
    Campaign campaign({.seed = header.seed, .id = header.id, .rules = rules, .watched = {}},
                      std::move(topology));
    for (const auto& round : record.rounds) {
      if (campaign.ended() || round.round != campaign.round())
        throw std::runtime_error("the campaign has round " + std::to_string(round.round) +
                                 " in the place of " + std::to_string(campaign.round()));
      campaign.observe(round.results, round.lost);
    }
    if (!campaign.ended())
      throw std::runtime_error(
          "the campaign was not held to its end: " + std::to_string(record.rounds.size()) + " of at most " +
          std::to_string(campaign.most_rounds()) + " rounds");
    return campaign;
  } catch (const std::logic_error& error) {  // what a Campaign refuses to be made of
    throw std::runtime_error(error.what());
  }
}

CampaignEnd end_of(const CampaignRecord& record) {
  CampaignEnd end{.nodes = record.header.nodes, .engine = record.header.engine};
  end.rounds_held = static_cast<int>(record.rounds.size());
  for (const auto& round : record.rounds) {
    end.target_gbit_s = round.target_gbit_s, end.target_inferred = round.target_inferred;
    end.troubles.insert(end.troubles.end(), round.troubles.begin(), round.troubles.end());
  }
  return end;
}

}  // namespace mlc::fleet
