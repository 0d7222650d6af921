// What one round of a campaign came to, as it is kept: a line of JSON each. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "bench/fleet/localisation/test_result.hpp"

namespace mlc::fleet {

struct RoundRecord {
  int round = 1;
  double target_gbit_s = 0;
  bool target_inferred = false;
  std::vector<TestResult> results;
  std::vector<int> lost;              // agents that are gone by the end of it
  std::vector<std::string> troubles;  // tests that came to nothing, and why
  bool operator==(const RoundRecord&) const = default;
};

// What a campaign's rounds belong to. Resumed with anything else in its place, the rounds would mean
// something else.
struct CampaignHeader {
  std::uint64_t seed = 1, id = 1;
  std::string program, engine;
  std::string question;  // the options that change what rounds mean
  std::string topology;  // digest of what it was made from
  std::vector<std::string> nodes;
  int rails = 0;
  bool operator==(const CampaignHeader&) const = default;
};

nlohmann::json to_json(const RoundRecord& record);
nlohmann::json to_json(const CampaignHeader& header);
// Throw std::runtime_error: a key missing, of another type, too many of them.
RoundRecord round_record_from(const nlohmann::json& json);
CampaignHeader campaign_header_from(const nlohmann::json& json);

}  // namespace mlc::fleet
