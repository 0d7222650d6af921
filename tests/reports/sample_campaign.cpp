#include "tests/reports/sample_campaign.hpp"

#include "bench/fleet/measurement/fleet_report.hpp"
#include "tests/unit/fleet/worlds.hpp"
#include "validators/deciding/decide.hpp"

namespace mlc::test {

using namespace fleet;

Report campaign_report(bool uplinks_known) {
  WorldKnobs knobs = calm(48, 16, 8);
  knobs.hashed = !uplinks_known;
  World world(knobs, 3);
  world.plant(fault_at({.kind = Kind::tx, .node = 7, .rail = 2}, .2));
  world.plant(fault_at({.kind = Kind::end, .node = 20, .rail = 3}, 1));
  world.plant(fault_at({.kind = Kind::up, .leaf = 1, .uplink = 5}, .4));
  const auto topology =
      known_topology(world.topology(), uplinks_known ? Known::uplinks : Known::leaves, 0, 3);
  Campaign campaign({.seed = 3, .id = 3, .rules = {}, .watched = {}}, topology);
  constexpr int lost = 33;
  while (!campaign.ended()) {
    auto results = world.measure(3, campaign.round(), campaign.planned());
    if (campaign.round() > 1)
      std::erase_if(results,
                    [](const TestResult& result) { return result.first == lost || result.second == lost; });
    campaign.observe(results, campaign.round() > 1 ? std::vector<int>{lost} : std::vector<int>{});
  }
  CampaignEnd end{
      .engine = "verbs", .troubles = {"round 2, n33 and n2: n33 is gone"}, .target_gbit_s = 197.2};
  for (int node = 0; node < knobs.nodes; ++node)
    end.nodes.push_back("n" + std::to_string(node));
  Report report;
  report.tool.version = "0.1.0";
  report.run = {
      .id = "campaign", .command = {"mlc-bench", "fleet"}, .ranks = knobs.nodes, .nodes = knobs.nodes};
  report.run.started = "2026-11-30T12:00:00Z", report.run.duration_s = 11;
  add_campaign(report, campaign, end);
  report.verdict = decide(report, {});
  return report;
}

}  // namespace mlc::test
