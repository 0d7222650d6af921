#include "bench/fleet/localisation/campaign.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/unit/fleet/worlds.hpp"

namespace mlc::fleet {

namespace {

// Acceptance 8, what is pure of it: whose agent is gone in round 2 is LOST, and its partner clean.
TEST(Acceptance8, AKilledAgentIsLostAndItsPartnerClean) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    World world(calm(64), seed);
    Campaign campaign({.seed = seed, .id = 1, .rules = {}, .watched = {}}, world.topology());
    campaign.observe(world.measure(1, 1, campaign.planned()));
    int partner = -1;
    auto results = world.measure(1, 2, campaign.planned());
    std::erase_if(results, [&](const TestResult& result) {
      if (result.first != 20 && result.second != 20) return false;
      partner = result.first == 20 ? result.second : result.first;
      return true;
    });
    ASSERT_GE(partner, 0);
    campaign.observe(results, {20});
    ASSERT_FALSE(campaign.ended());
    EXPECT_TRUE(std::ranges::any_of(campaign.planned(), [&](const PlannedTest& test) {
      return test.first == partner || test.second == partner;
    }));
    while (!campaign.ended())
      campaign.observe(world.measure(1, campaign.round(), campaign.planned()));
    EXPECT_EQ(campaign.judgement().nodes[20], Standing::lost);
    EXPECT_EQ(campaign.judgement().nodes[static_cast<std::size_t>(partner)], Standing::clean);
    EXPECT_EQ(count_of(campaign.judgement(), Standing::clean), 63u);
  }
}

TEST(Acceptance8, ResumedFromItsRecordsACampaignSaysTheSame) {
  World world(calm(64), 4);
  world.plant(fault_at({.kind = Kind::tx, .node = 9, .rail = 3}, .2));
  const CampaignPlan plan{.seed = 4, .id = 9, .rules = {}, .watched = {}};
  Campaign whole(plan, world.topology());
  std::vector<std::vector<TestResult>> records;
  while (!whole.ended()) {
    records.push_back(world.measure(9, whole.round(), whole.planned()));
    whole.observe(records.back());
  }
  Campaign resumed(plan, world.topology());
  for (const auto& round : records)
    resumed.observe(round);
  EXPECT_TRUE(resumed.ended());
  EXPECT_EQ(resumed.judgement().nodes, whole.judgement().nodes);
  EXPECT_EQ(accused(resumed.judgement()), accused(whole.judgement()));
  EXPECT_EQ(accused(whole.judgement()), std::vector<Component>{world.planted()[0].component});
}

TEST(Campaign, WhatCannotBeIsRefused) {
  EXPECT_THROW(Campaign({}, regular_topology(1, 4, 32, 16)), std::invalid_argument);
  for (const int rounds : {-1, 0, 1, 17, 1000}) {
    CampaignPlan plan;
    plan.rules.rounds = rounds;
    EXPECT_THROW(Campaign(plan, regular_topology(64, 4, 32, 16)), std::invalid_argument) << rounds;
  }
  World world(calm(16), 1);
  Campaign campaign({}, world.topology());
  while (!campaign.ended())
    campaign.observe(world.measure(1, campaign.round(), campaign.planned()));
  EXPECT_THROW(campaign.observe({}), std::logic_error);
}

// Two partners are two sightings, which do not reach 5 nats for one direction: what is open meets again.
TEST(Campaign, ThreeNodesMeetAgainWhileAnythingIsOpen) {
  int longer = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto fault = fault_at({.kind = Kind::tx, .node = 1, .rail = 2}, .2);
    const Campaign campaign = campaign_with(calm(3), {fault}, seed, Known::nothing);
    EXPECT_EQ(accused(campaign.judgement()), std::vector<Component>{fault.component}) << seed;
    EXPECT_LE(campaign.round(), 5);
    longer += campaign.round() > 3 ? 1 : 0;
    EXPECT_EQ(campaign_with(calm(3), {}, seed, Known::nothing).round(), 3) << "nothing is open";
  }
  EXPECT_GT(longer, 0);
  EXPECT_EQ(campaign_with(calm(2), {fault_at({.kind = Kind::tx, .node = 1, .rail = 2}, .2)}).round(), 3)
      << "a third repeat of the same two says no more";
}

TEST(Campaign, EverybodyLostEnds) {
  Campaign campaign({}, regular_topology(16, 4, 32, 16));
  std::vector<int> all;
  for (int node = 0; node < 16; ++node)
    all.push_back(node);
  while (!campaign.ended())
    campaign.observe({}, all);
  EXPECT_EQ(count_of(campaign.judgement(), Standing::lost), 16u);
}

TEST(Campaign, NothingMeasuredIsNothingClean) {
  Campaign campaign({}, regular_topology(100, 4, 32, 16));
  while (!campaign.ended())
    campaign.observe({});
  EXPECT_EQ(count_of(campaign.judgement(), Standing::unresolved), 100u);
  EXPECT_EQ(campaign.round(), 5);
}

}  // namespace

}  // namespace mlc::fleet
