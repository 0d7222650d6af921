// The sentences of docs/fleet.md that are about many campaigns, with fewer of them than its table has.
#include <gtest/gtest.h>

#include <limits>

#include "bench/fleet/localisation/problems.hpp"
#include "bench/fleet/localisation/trials.hpp"
#include "tests/unit/fleet/worlds.hpp"

namespace mlc::fleet {

namespace {

Score trials(const TrialPlan& plan, int count, std::uint64_t seed) {
  Score score;
  for (int i = 0; i < count; ++i)
    score.add(trial(plan, seed + static_cast<std::uint64_t>(i)));
  return score;
}

TEST(Acceptance1, TenThousandHealthyNodesAndNobodyAccused) {
  TrialPlan plan;
  plan.knobs.nodes = 10'000, plan.knobs.faults = 0;
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    const Score score = trial(plan, seed);
    EXPECT_EQ(score.accused, 0u) << seed;
    EXPECT_EQ(score.faulty_found, 0u) << seed;
    EXPECT_LE(score.rounds_below(1), 5) << seed;
  }
}

struct Fleet {
  int nodes, trials;
};
class TwoPerCent : public ::testing::TestWithParam<Fleet> {};

// Of hundreds of faults: the rates that are promised take thousands (docs/fleet.md has the table).
TEST_P(TwoPerCent, NobodyHealthyAccusedNoneSilentInFiveRounds) {
  TrialPlan plan;
  plan.knobs.nodes = GetParam().nodes;
  plan.rules.floor = 0, plan.rules.map_guard = false;
  const Score score = trials(plan, GetParam().trials, 1000);
  EXPECT_GE(score.hosts, 90u);
  EXPECT_LE(static_cast<double>(score.accused), 1e-4 * static_cast<double>(score.node_campaigns));
  EXPECT_EQ(score.silent, 0u);
  EXPECT_LE(static_cast<double>(score.missed), .02 * static_cast<double>(score.hosts));
  EXPECT_LE(score.rounds_below(.99), 5);
  EXPECT_GE(static_cast<double>(score.right_class), .985 * static_cast<double>(score.faulty_found));
}
INSTANTIATE_TEST_SUITE_P(Acceptance1, TwoPerCent,
                         ::testing::Values(Fleet{64, 160}, Fleet{256, 60}, Fleet{1024, 12}));

// With the guards as they ship, of faults twice the floor.
TEST(Acceptance1, WithTheGuardsFaultsOfATenthAreFound) {
  TrialPlan plan;
  plan.knobs.nodes = 256, plan.scored_from = .1;
  const Score score = trials(plan, 60, 2000);
  EXPECT_EQ(score.accused, 0u);
  EXPECT_EQ(score.silent, 0u);
  EXPECT_LE(static_cast<double>(score.missed), .03 * static_cast<double>(score.hosts));
}

// Acceptance 10 is a benchmark (tests/micro/fleet_bench); here, that it ends, and what it holds.
TEST(Acceptance10, SixteenThousandNodesEndInBoundedMemory) {
  TrialPlan plan;
  plan.knobs.nodes = 16'384;
  World world(plan.knobs, 5);
  world.plant_faults();
  Campaign campaign({.seed = 5, .id = 5, .rules = {}, .watched = {}}, world.topology());
  while (!campaign.ended())
    campaign.observe(world.measure(5, campaign.round(), campaign.planned()));
  EXPECT_LE(campaign.round(), 5);
  const auto& tests = campaign.gathered().tests;
  std::size_t bytes = tests.size() * (sizeof(MeasuredTest) + 8 * sizeof(FlowResult));
  const Components components(16'384, 4, static_cast<int>(world.topology().leaves.size()), 16);
  bytes += components.count() * (sizeof(Prior) + 4 * sizeof(std::uint32_t));
  const std::size_t flows = tests.size() * 8, shares = flows * queue_pairs;
  const auto of_flow = [](std::size_t crossed) {
    return sizeof(Logs) + sizeof(FlowPlace) + 5 * sizeof(std::int32_t) + 2 * crossed * sizeof(ComponentId);
  };
  // What doubles as it grows may hold twice its size.
  bytes += 2 * (flows * of_flow(8) + shares * of_flow(2));
  EXPECT_LT(bytes, 500'000'000u);
}

}  // namespace

}  // namespace mlc::fleet
