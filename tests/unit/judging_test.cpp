#include "bench/stats/judging.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace mlc {
namespace {

constexpr Conclusion undecided = Conclusion::undecided, at_least = Conclusion::at_least,
                     below = Conclusion::below;

// What a clear node's thirty seconds look like; each test spoils one figure.
Evidence clear() {
  return {.iterations = 1500,
          .timed_s = 30,
          .wall_s = 30.1,
          .median = 1.05,
          .overall = 1.05,
          .typical_s = 0.02,
          .longest_s = 0.03,
          .block_s = 0.02,
          .blocks = 1500,
          .blocks_reached = 1480,
          .slices = 20,
          .slices_reached = 20,
          .end_share = 0.9};
}
const JudgingRules quick{.bound = 1}, admission{.bound = 1, .observe_s = 30};

TEST(RuleOn, AClearNodePassesAndASlowOneFails) {
  for (const auto& rules : {quick, admission}) {
    EXPECT_EQ(rule_on(clear(), rules), (Ruling{at_least, Doubt::none}));
    Evidence slow = clear();
    slow.blocks_reached = 20, slow.median = slow.overall = 0.95, slow.end_share = 0;
    EXPECT_EQ(rule_on(slow, rules), (Ruling{below, Doubt::none}));
    Evidence near = clear();
    near.blocks_reached = 760;
    EXPECT_EQ(rule_on(near, rules), (Ruling{undecided, Doubt::noise}));
    EXPECT_EQ(rule_on({}, rules).conclusion, undecided) << "nothing was measured";
  }
}

TEST(RuleOn, AdmissionConcludesNothingOnLessThanItsTime) {
  Evidence e = clear();
  e.wall_s = e.timed_s = 29.9;
  EXPECT_EQ(rule_on(e, admission), (Ruling{undecided, Doubt::too_short}));
  EXPECT_EQ(rule_on(e, quick).conclusion, at_least);
  e.blocks_reached = 0;
  EXPECT_EQ(rule_on(e, admission).conclusion, undecided) << "noise that lasts may fail a good node, too";
}

TEST(RuleOn, AllWorkOverAllTimeIsJudgedBesideTheMedian) {
  Evidence e = clear();
  e.overall = 0.2, e.slices_reached = 0;
  for (const auto& rules : {quick, admission})
    EXPECT_EQ(rule_on(e, rules), (Ruling{below, Doubt::stalls}));
  e.slices_reached = 19;  // one long stall: not enough for a failure, too much for a pass
  EXPECT_EQ(rule_on(e, quick), (Ruling{undecided, Doubt::stalls}));
}

TEST(RuleOn, OneIterationMayNotStallForLong) {
  Evidence e = clear();
  e.longest_s = 0.6;
  EXPECT_EQ(rule_on(e, admission), (Ruling{undecided, Doubt::stall}));
  EXPECT_TRUE(is_final(rule_on(e, admission)));
  e.longest_s = 0.5;
  EXPECT_EQ(rule_on(e, admission).conclusion, at_least);
}

TEST(RuleOn, TheEndMustHold) {
  Evidence e = clear();
  e.end_share = 0.4;
  EXPECT_EQ(rule_on(e, quick), (Ruling{undecided, Doubt::end_below}));
  e = clear();
  e.drift = -0.03, e.drift_z = -8;  // 1.05 to 1.02 in 30 s, and 0.98 after as much again
  EXPECT_EQ(rule_on(e, admission), (Ruling{undecided, Doubt::falling}));
  e.drift = -0.01;  // it settles far above the bound
  EXPECT_EQ(rule_on(e, admission).conclusion, at_least);
  e.drift = 0.03, e.drift_z = 8;
  EXPECT_EQ(rule_on(e, admission).conclusion, at_least) << "a rise is no fault";
}

TEST(RuleOn, AClockThatIsWrongIsNeverAConclusion) {
  Evidence e = clear();
  e.untimed = 1;
  EXPECT_EQ(rule_on(e, quick), (Ruling{undecided, Doubt::clock}));
  EXPECT_TRUE(is_final(rule_on(e, quick)));
  e = clear();
  e.wall_s = 10;
  EXPECT_EQ(rule_on(e, quick), (Ruling{undecided, Doubt::clock}));
}

TEST(OverLaunches, TheWorstMustPassAndOneAloneDoesNotFail) {
  const auto over = [](std::vector<Conclusion> launches) { return over_launches(launches); };
  EXPECT_EQ(over({at_least, at_least, at_least}), at_least);
  EXPECT_EQ(over({at_least, below, at_least}), undecided);
  EXPECT_EQ(over({at_least, undecided, at_least}), undecided);
  EXPECT_EQ(over({below, at_least, below}), below);
  EXPECT_EQ(over({below, undecided}), undecided);
  EXPECT_EQ(over({below}), below);
  EXPECT_EQ(over({}), undecided);
}

std::vector<TimedWork> correlated(double time_s, double seconds, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal(0, 1);
  const double kept = time_s > 0 ? std::exp(-0.02 / time_s) : 0;
  double noise = normal(random);
  std::vector<TimedWork> stretches;
  for (double at = 0; at < seconds; at += 0.02) {
    noise = kept * noise + std::sqrt(1 - kept * kept) * normal(random);
    stretches.push_back({0.02 * (1 + 0.01 * noise), 0.02});
  }
  return stretches;
}

TEST(CorrelationTime, IsThatOfTheNoise) {
  for (const double time_s : {0.1, 0.5, 2.0}) {
    std::vector<double> found;
    for (std::uint64_t seed = 0; seed < 21; ++seed)
      found.push_back(correlation_time(correlated(time_s, 60 * time_s, seed)));
    std::ranges::sort(found);
    EXPECT_GT(found[10], time_s);
    EXPECT_LT(found[10], 3 * time_s);
  }
  int seen = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed)
    seen += correlation_time(correlated(0, 30, seed)) > 0 ? 1 : 0;
  EXPECT_LE(seen, 30) << "noise that is independent is mostly seen to be so";
  EXPECT_EQ(correlation_time({}), 0);
  EXPECT_EQ(correlation_time(std::vector<TimedWork>(100, {1, 1})), 0) << "no noise at all";
}

Judging fed(const JudgingRules& rules, double seconds, auto&& rate) {
  Judging judging(rules);
  for (double at = 0; at < seconds; at += 0.02)
    judging.add(0.02 * rate(at), 0.02);
  judging.took(seconds);
  return judging;
}

TEST(Judging, BlocksAreAtLeastAsLongAsTheNoiseLasts) {
  const auto stretches = correlated(0.5, 30, 7);
  Judging judging({.bound = 1.0});
  for (const auto& stretch : stretches)
    judging.add(stretch.work, stretch.seconds);
  const Evidence e = judging.evidence();
  EXPECT_GE(e.block_s, 0.5);
  EXPECT_GE(e.block_s, std::min(e.correlation_s, 30.0 / 20));
  EXPECT_LE(e.blocks, 60u);
}

// A clear node with a slow wave on it is not made to wait for independence.
TEST(Judging, FarFromTheBoundDependenceDoesNotMatter) {
  const Judging judging = fed({.bound = 1}, 0.3, [](double at) { return 1.1 + 0.005 * at; });
  EXPECT_EQ(judging.ruling().conclusion, at_least);
  EXPECT_EQ(fed({.bound = 1}, 0.3, [](double at) { return 0.9 + 0.005 * at; }).ruling().conclusion, below);
  EXPECT_EQ(fed({.bound = 1}, 0.3, [](double at) { return 1.001 + 0.005 * at; }).ruling().conclusion,
            undecided);
}

TEST(Judging, AGpuThatThrottlesInTheTimeOfObservationDoesNotPass) {
  for (const double from : {1.0, 10.0, 20.0, 29.0, 29.8}) {
    std::mt19937_64 random(3);
    std::normal_distribution<double> noise(0, 0.01);
    const Judging judging =
        fed(admission, 30, [&](double at) { return (at < from ? 1.04 : 0.95) + noise(random); });
    EXPECT_NE(judging.ruling().conclusion, at_least) << from;
  }
  // One that settles, and stays above, does.
  const Judging settles = fed(admission, 30, [](double at) { return 1.02 + 0.02 * std::exp(-at / 5); });
  EXPECT_EQ(settles.ruling().conclusion, at_least);
}

TEST(Judging, WaitsBeyondTheUsualAreStalls) {
  for (const double stall : {0.0, 0.4}) {
    Judging judging(quick);
    for (int window = 0; window < 8; ++window) {
      for (int i = 0; i < 50; ++i)
        judging.add(0.011, 0.01);
      judging.took(0.5 + 50 * usual_wait_s + stall);
    }
    EXPECT_EQ(judging.ruling().doubt, stall > 0 ? Doubt::stalls : Doubt::none);
    EXPECT_EQ(judging.ruling().conclusion == at_least, stall == 0);
    EXPECT_NEAR(judging.evidence().longest_s, std::max(0.01, stall), 1e-9);
  }
}

TEST(Judging, TimesThatAreNoneAreCountedAndNotUsed) {
  for (const double bad : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    Judging judging(quick);
    for (int i = 0; i < 40; ++i)
      judging.add(0.02, i == 20 ? bad : 0.01);
    judging.took(0.4);
    EXPECT_EQ(judging.ruling(), (Ruling{undecided, Doubt::clock}));
    EXPECT_EQ(judging.evidence().untimed, 1u);
    EXPECT_NEAR(judging.evidence().overall, 2, 1e-9);
  }
  Judging backwards(quick);
  for (int i = 0; i < 40; ++i)
    backwards.add(0.02, 0.01);
  backwards.took(-3);
  EXPECT_EQ(backwards.ruling().doubt, Doubt::clock);
}

// Millions of iterations are kept as thousands of stretches, and all of them count.
TEST(Judging, ManyShortIterationsAreKeptInBoundedMemory) {
  Judging judging({.bound = 1, .batch_s = 1e-6});
  for (int i = 0; i < 300'000; ++i)
    judging.add(2e-6, 1e-6);
  const Evidence e = judging.evidence();
  EXPECT_NEAR(e.overall, 2, 1e-6);
  EXPECT_NEAR(e.median, 2, 1e-6);
  EXPECT_LE(e.blocks, 20'000u);
  EXPECT_EQ(e.iterations, 300'000u);
  EXPECT_NEAR(e.typical_s, 1e-6, 1e-9);
}

TEST(Judging, RefusesImpossibleRates) {
  EXPECT_THROW(Judging({.bound = 1, .false_admit = 0}), std::invalid_argument);
}

}  // namespace
}  // namespace mlc
