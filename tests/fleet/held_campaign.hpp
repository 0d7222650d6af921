// A campaign as nodes with given rates would have held it. For tests.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/fleet/measurement/campaign_record.hpp"

namespace mlc::fleet {

// `rate`: share of the target that `sender` reaches over that rail.
using RateOf = std::function<double(const std::string& sender, const std::string& receiver, int rail)>;

inline CampaignRecord held_campaign(const std::vector<std::string>& nodes, int rails, double target_gbit_s,
                                    const RateOf& rate) {
  const auto topology = unknown_topology(static_cast<int>(nodes.size()), rails);
  CampaignRecord record{.header = {.program = "played",
                                   .engine = "verbs",
                                   .question = "",
                                   .topology = topology_digest(topology),
                                   .nodes = nodes,
                                   .rails = rails},
                        .rounds = {}};
  const auto name = [&](int node) { return nodes[static_cast<std::size_t>(node)]; };
  Campaign campaign({}, topology);
  while (!campaign.ended()) {
    RoundRecord round{
        .round = campaign.round(), .target_gbit_s = target_gbit_s, .results = {}, .lost = {}, .troubles = {}};
    for (const auto& test : campaign.planned()) {
      TestResult result{
          .campaign = 1, .round = round.round, .first = test.first, .second = test.second, .flows = {}};
      for (int rail = 0; rail < rails; ++rail)
        for (const bool back : {false, true}) {
          FlowResult flow{.rate = rate(name(back ? test.second : test.first),
                                       name(back ? test.first : test.second), rail),
                          .error = .004};
          flow.shares.fill(flow.rate);
          result.flows.push_back(flow);
        }
      round.results.push_back(std::move(result));
    }
    record.rounds.push_back(round);
    campaign.observe(round.results);
  }
  return record;
}

}  // namespace mlc::fleet
