#include "bench/fleet/localisation/test_result.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/unit/fleet/worlds.hpp"

namespace mlc::fleet {

namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint64_t id = 7;

std::vector<TestResult> good_results(const std::vector<PlannedTest>& tests) {
  return World(calm(8, 4), 1).measure(id, 1, tests);
}

const std::vector<PlannedTest> two_tests{{.first = 0, .second = 1}, {.first = 2, .second = 3}};

TEST(Acceptance9, WhatIsMissingIsNotMeasured) {
  auto results = good_results(two_tests);
  results.pop_back();
  const Accepted accepted = accept_results(id, 1, 4, two_tests, results);
  EXPECT_EQ(accepted.measured.size(), 1u);
  ASSERT_EQ(accepted.not_measured.size(), 1u);
  EXPECT_EQ(accepted.not_measured[0].first, 2);
}

TEST(Acceptance9, NumbersThatAreNoneAreRefused) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  for (const double value : {nan, inf, -inf, -.1, 1e9})
    for (int field = 0; field < 3; ++field) {
      auto results = good_results(two_tests);
      FlowResult& flow = results[0].flows[3];
      (field == 0 ? flow.rate : field == 1 ? flow.error : flow.shares[2]) = value;
      const Accepted accepted = accept_results(id, 1, 4, two_tests, results);
      EXPECT_EQ(accepted.not_measured.size(), 1u) << value << " in " << field;
      ASSERT_EQ(accepted.refused.size(), 1u);
      EXPECT_THAT(accepted.refused[0], HasSubstr("rail 1 back"));
    }
  for (const int windows : {-1, 61}) {
    auto results = good_results(two_tests);
    results[1].flows[0].slow_windows = windows;
    EXPECT_EQ(accept_results(id, 1, 4, two_tests, results).not_measured.size(), 1u);
  }
}

TEST(Acceptance9, AnotherCampaignRoundOrPairIsForeign) {
  for (int what = 0; what < 4; ++what) {
    auto results = good_results(two_tests);
    if (what == 0) results[0].campaign = id + 1;
    if (what == 1) results[0].round = 2;
    if (what == 2) results[0].second = 5;
    if (what == 3) results[0].first = -3;
    const Accepted accepted = accept_results(id, 1, 4, two_tests, results);
    EXPECT_EQ(accepted.measured.size(), 1u) << what;
    EXPECT_EQ(accepted.not_measured.size(), 1u) << what;
    EXPECT_EQ(accepted.refused.size(), 1u) << what;
  }
}

TEST(Acceptance9, DoubledIsOnceWhereItIsTheSameAndNeitherWhereItIsNot) {
  auto results = good_results(two_tests);
  results.push_back(results[0]);
  EXPECT_EQ(accept_results(id, 1, 4, two_tests, results).measured.size(), 2u);
  results.back().flows[0].rate = .5;
  const Accepted accepted = accept_results(id, 1, 4, two_tests, results);
  EXPECT_EQ(accepted.measured.size(), 1u);
  EXPECT_THAT(accepted.refused.at(0), HasSubstr("another of the same test that differs"));
}

TEST(Acceptance9, TooManyFlowsAndTooFewAreRefused) {
  for (const std::size_t flows : {0u, 7u, 9u, 4096u}) {
    auto results = good_results(two_tests);
    results[0].flows.resize(flows);
    EXPECT_EQ(accept_results(id, 1, 4, two_tests, results).not_measured.size(), 1u) << flows;
  }
}

TEST(Acceptance9, AFloodIsCountedAndNotRepeated) {
  std::vector<TestResult> flood(10000, good_results(two_tests)[0]);
  for (auto& each : flood)
    each.campaign = 99;
  const Accepted accepted = accept_results(id, 1, 4, two_tests, flood);
  EXPECT_EQ(accepted.refused.size(), 101u);
  EXPECT_THAT(accepted.refused.back(), HasSubstr("9900 more"));
  EXPECT_THAT(accepted.measured, IsEmpty());
}

// All the way: nobody whose results were refused in every round is CLEAN.
TEST(Acceptance9, RefusedResultsNeverBecomeAPass) {
  World world(calm(32, 16), 3);
  Campaign campaign({.seed = 3, .id = id, .rules = {}, .watched = {}}, world.topology());
  while (!campaign.ended()) {
    auto results = world.measure(id, campaign.round(), campaign.planned());
    for (auto& result : results)
      if (result.first == 4 || result.second == 4) result.flows[0].rate = std::nan("");
    campaign.observe(results);
  }
  EXPECT_EQ(campaign.judgement().nodes[4], Standing::unresolved);
  EXPECT_EQ(count_of(campaign.judgement(), Standing::faulty), 0u);
  EXPECT_EQ(campaign.not_measured(), 5u);
  EXPECT_EQ(campaign.round(), 5);
}

TEST(Acceptance9, OrderOfResultsIsIrrelevant) {
  World world(calm(64), 5);
  world.plant(fault_at({.kind = Kind::rx, .node = 9, .rail = 1}, .2));
  Campaign one({.seed = 5, .id = id, .rules = {}, .watched = {}}, world.topology()), other = one;
  Random random(1);
  while (!one.ended()) {
    auto results = world.measure(id, one.round(), one.planned());
    one.observe(results);
    random.shuffle(results);
    other.observe(results);
    ASSERT_EQ(one.planned(), other.planned());
  }
  EXPECT_EQ(one.judgement().nodes, other.judgement().nodes);
  EXPECT_EQ(accused(one.judgement()), accused(other.judgement()));
}

}  // namespace

}  // namespace mlc::fleet
