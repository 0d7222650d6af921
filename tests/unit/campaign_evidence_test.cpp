// What a campaign must have shown of a node that is admitted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "tests/unit/burnt_in.hpp"
#include "validators/deciding/evidence.hpp"
#include "validators/policy/run_kind.hpp"

namespace mlc {
namespace {

using testing::Contains;
using testing::HasSubstr;

Policy with_campaign(const std::string& more = "") {
  return read_policy(test::admitting_text + std::string(R"(target: {rails: 2, rail_gbit_s: 200}
fabric:
  stages:
    - {stage: all, command: [fleet)") +
                         more + "]}\n",
                     "test");
}

// gpu-7 was cleared; its neighbour was not.
Report cleared(const Policy& policy) {
  Report report = test::earned_report();
  report.run.policy_digest = policy.digest, report.run.plan = "fabric";
  const auto& stage = policy.fabric->stages.front();
  report.stages.push_back({stage.name, stage.command, 1, Status::pass, "pass: CLEAN"});
  report.findings.push_back({.check = "fleet.node",
                             .subject = "node gpu-7",
                             .status = Status::pass,
                             .stage = stage.name,
                             .launch = 1});
  report.figures.fleet = FleetFigures{.rounds = 3,
                                      .most_rounds = 3,
                                      .rails = 2,
                                      .tests = 6,
                                      .engine = "verbs",
                                      .target_gbit_s = 196.08,
                                      .nodes = {{"gpu-7", "CLEAN", 3, 3, .98},
                                                {"gpu-8", "FAULTY", 3, 3, .5},
                                                {"gpu-9", "CLEAN", 3, 3, .98},
                                                {"gpu-a", "LOST", 1, 1, .98}}};
  return report;
}

Verdict decided(const Report& report, const Policy& policy) {
  Wanted wanted = test::wanted();
  wanted.plan = wanted_plan(policy, RunKind::fabric), wanted.kind = RunKind::fabric;
  return decide(report, policy, wanted);
}

TEST(CampaignEvidence, OfItsOwnNodeAlone) {
  const Policy policy = with_campaign();
  const auto verdict = decided(cleared(policy), policy);
  EXPECT_EQ(verdict.decision, Decision::pass) << testing::PrintToString(verdict.because);
}

TEST(CampaignEvidence, WhatItLacksIsNoPassAndIsSaid) {
  const Policy policy = with_campaign();
  using Change = std::function<void(Report&)>;
  const std::vector<std::pair<const char*, Change>> lies{
      {"the report has no figures of a campaign", [](Report& r) { r.figures.fleet.reset(); }},
      {"did not have this node",
       [](Report& r) { r.figures.fleet->nodes.erase(r.figures.fleet->nodes.begin()); }},
      {"with 1 partners", [](Report& r) { r.figures.fleet->nodes[0].partners = 1; }},
      {"in 1 tests", [](Report& r) { r.figures.fleet->nodes[0].tests = 1; }},
      {"over 1 of 2 rails", [](Report& r) { r.figures.fleet->rails = 1; }},
      {"against 100.00 Gbit/s", [](Report& r) { r.figures.fleet->target_gbit_s = 100; }},
      {"its own fastest flows", [](Report& r) { r.figures.fleet->target_inferred = true; }},
      {"accused nobody below 40.0 %", [](Report& r) { r.figures.fleet->floor = .4; }},
      {"accused nobody below", [](Report& r) { r.figures.fleet->floor = std::nan(""); }},
      {"wanted 50.0 nats", [](Report& r) { r.figures.fleet->confidence = 50; }},
      {"gpu-7 is AMBIGUOUS", [](Report& r) { r.figures.fleet->nodes[0].standing = "AMBIGUOUS"; }},
      {"gpu-7 is PATH", [](Report& r) { r.figures.fleet->nodes[0].standing = "PATH"; }},
      {"gpu-7 is LOST", [](Report& r) { r.figures.fleet->nodes[0].standing = "LOST"; }},
      {"no finding says of what", [](Report& r) { r.figures.fleet->nodes[0].standing = "FAULTY"; }},
      {"of the fleet as a whole", [](Report& r) { r.figures.fleet->alarm = "rail 1 is dead"; }},
      {"shows nothing that it measured", [](Report& r) { r.findings.pop_back(); }},
      {"is not in the report", [](Report& r) { r.stages.pop_back(); }},
      {"ran 'fleet --floor 50%'", [](Report& r) {
         r.stages.back().command = {"fleet", "--floor", "50%"};
       }}};
  for (const auto& [why, change] : lies) {
    Report report = cleared(policy);
    change(report);
    const auto verdict = decided(report, policy);
    EXPECT_NE(verdict.decision, Decision::pass) << why;
    EXPECT_THAT(verdict.because, Contains(HasSubstr(why)));
  }
}

TEST(CampaignEvidence, ARateThatTheStageNamesIsTheOneAskedFor) {
  const Policy policy = with_campaign(", --rail-rate, \"50\"");
  Report report = cleared(policy);
  report.figures.fleet->target_gbit_s = 50;
  EXPECT_EQ(decided(report, policy).decision, Decision::pass)
      << testing::PrintToString(decided(report, policy).because);
  report.figures.fleet->target_gbit_s = 40;
  EXPECT_NE(decided(report, policy).decision, Decision::pass);
}

// A campaign that is its own report answers for all.
TEST(CampaignEvidence, ACampaignsOwnReportIsOfAllItsNodes) {
  const Policy policy = with_campaign();
  Report report = cleared(policy);
  report.run.plan.clear();
  EXPECT_THAT(decide(report, policy).because, Contains(HasSubstr("gpu-a is LOST")));
}

}  // namespace
}  // namespace mlc
