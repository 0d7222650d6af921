// A campaign as a report has it: written and read back, and as a page shows it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "reports/faces/html.hpp"
#include "reports/record/fleet_figures_json.hpp"
#include "reports/record/json.hpp"
#include "tests/reports/sample_campaign.hpp"

namespace mlc {
namespace {

using testing::HasSubstr;
using testing::Not;

const FleetFigures& fleet_of(const Report& report) { return *report.figures.fleet; }

TEST(CampaignFigures, HaveEveryTestWithItsRatios) {
  const Report report = test::campaign_report(true);
  const FleetFigures& fleet = fleet_of(report);
  EXPECT_EQ(fleet.tests - fleet.not_measured, fleet.held.size());
  std::vector<double> sent;  // by n7 over rail 2
  for (const auto& test : fleet.held) {
    ASSERT_EQ(test.ratios.size(), 8u);
    if (test.first == 7) sent.push_back(test.ratios[4]);
    if (test.second == 7) sent.push_back(test.ratios[5]);
    if (test.first == 20 || test.second == 20) {
      EXPECT_EQ(test.ratios[6] + test.ratios[7], 0) << "dead";
    }
  }
  ASSERT_GE(sent.size(), 2u);
  for (const double ratio : sent)
    EXPECT_NEAR(ratio, .8, .05);
}

TEST(CampaignFigures, ShowASlowUplinkWhereUplinksAreKnownAndElseTheWaysItIsPartOf) {
  const auto slow = [](const Report& report) {
    std::vector<FleetWay> ways;
    for (const auto& way : fleet_of(report).ways)
      if (way.least_share < .75 && way.least_share > 0) ways.push_back(way);
    return ways;
  };
  const Report known = test::campaign_report(true), unknown = test::campaign_report(false);
  const auto leaf = fleet_of(known).nodes[16].leaves;
  int up = 0;
  for (const auto& way : slow(known))
    up += way.uplink == 5 && !way.down ? 1 : 0;
  EXPECT_EQ(up, 1);
  for (const auto& way : slow(unknown)) {
    EXPECT_FALSE(way.uplink);
    EXPECT_FALSE(way.towards.empty());
  }
  EXPECT_FALSE(slow(unknown).empty());
}

TEST(CampaignFigures, HaveWhatEachPlaceRestsOn) {
  const Report report = test::campaign_report(true);
  const auto& places = fleet_of(report).places;
  const auto sending = std::ranges::find(places, "node n7, rail 2, sending", &FleetPlace::where);
  ASSERT_NE(sending, places.end());
  EXPECT_EQ(sending->standing, "FAULTY");
  EXPECT_GE(sending->margin, 5);
  EXPECT_NEAR(sending->severity, .2, .05);
  ASSERT_GE(sending->evidence_for.size(), 2u);
  EXPECT_LE(sending->evidence_for.size(), 6u);
  for (const auto& flow : sending->evidence_for) {
    EXPECT_EQ(flow.from, "n7");
    EXPECT_EQ(flow.rail, 2);
    EXPECT_NEAR(flow.ratio, .8, .05);
    EXPECT_GT(flow.nats, 0);
  }
  EXPECT_THAT(to_html(report), HasSubstr("Evidence: node n7, rail 2, sending, FAULTY"));
}

// A null is a number in the schema, and no way to end the program.
TEST(CampaignFigures, WhatIsNoNumberIsDrawnAsDead) {
  Report report = test::campaign_report(true);
  report.figures.fleet->ways.at(0).least_share = std::nan("");
  report.figures.fleet->held.at(0).ratios.at(0) = std::nan("");
  report.figures.fleet->places.at(0).margin = std::nan("");
  const std::string page = to_html(report);
  EXPECT_THAT(page, HasSubstr("<html"));
  EXPECT_THAT(page, Not(HasSubstr("nan nats")));
}

TEST(CampaignFigures, AreReadBackAsTheyWereWritten) {
  for (const bool uplinks : {true, false}) {
    const Report report = test::campaign_report(uplinks);
    const auto json = fleet_figures_to_json(fleet_of(report));
    EXPECT_EQ(fleet_figures_to_json(fleet_figures_from_json(json)), json);
    EXPECT_EQ(to_json(report_from_json(to_json(report))), to_json(report));
  }
}

TEST(CampaignFigures, ThatContradictThemselvesAreRefused) {
  const auto good = fleet_figures_to_json(fleet_of(test::campaign_report(true)));
  const auto refused = [&](const char* pointer, const nlohmann::ordered_json& value) {
    auto bad = good;
    bad[nlohmann::ordered_json::json_pointer(pointer)] = value;
    EXPECT_THROW(fleet_figures_from_json(bad), ReportError) << pointer;
  };
  refused("/held/0/first", 48);
  refused("/held/0/second", -1);
  refused("/held/0/round", 0);
  refused("/held/0/round", 2'000'000'000);
  refused("/held/0/ratios", {1, 1});
  refused("/rails", 0);
  refused("/rails", 1'000'000'000);
  refused("/nodes/0/leaves", {"one"});
  refused("/ways/0/rail", 4);
  auto before = good;  // by a version that knew nothing of them
  before.erase("held"), before.erase("ways");
  EXPECT_TRUE(fleet_figures_from_json(before).held.empty());
}

TEST(CampaignPage, ShowsEachNodeByItsLeafAndWhoMetWhom) {
  const std::string page = to_html(test::campaign_report(true), {});
  EXPECT_THAT(page, HasSubstr("The fleet, round by round"));
  EXPECT_THAT(page, HasSubstr("16 nodes</th>"));
  EXPECT_THAT(page, HasSubstr("rail 3: sends ×, receives × % of what is usual"));
  EXPECT_THAT(page, HasSubstr("Leaves and their uplinks"));
  EXPECT_THAT(page, HasSubstr("5 ↑"));
  EXPECT_THAT(to_html(test::campaign_report(false), {}), HasSubstr("Between leaves"));
  Report old = test::campaign_report(true);
  old.figures.fleet.reset();
  EXPECT_THAT(to_html(old, {}), Not(HasSubstr("round by round")));
}

// Thousands of nodes: who is not clean, and a row for each leaf.
TEST(CampaignPage, OfAManyNodesIsShort) {
  Report report = test::campaign_report(true);
  FleetFigures& fleet = *report.figures.fleet;
  const FleetFigures small = fleet;
  while (fleet.nodes.size() < 6000) {
    const auto offset = static_cast<int>(fleet.nodes.size());
    for (auto node : small.nodes)
      node.name += "-" + std::to_string(offset), fleet.nodes.push_back(node);
    for (auto test : small.held)
      test.first += offset, test.second += offset, fleet.held.push_back(test);
  }
  const std::string page = to_html(report, {});
  const auto body = page.substr(0, page.find("<script type=\"application/json\""));
  EXPECT_THAT(body, HasSubstr("clean nodes, their worst"));
  EXPECT_THAT(body, HasSubstr("<th scope=\"row\">n7-48<"));
  EXPECT_THAT(body, Not(HasSubstr("<th scope=\"row\">n1-48<")));
  EXPECT_LT(body.size(), 1'500'000u);
}

}  // namespace
}  // namespace mlc
