#include "bench/stats/statistics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace mlc {
namespace {

TEST(Summary, OfOneToOneHundred) {
  std::vector<double> samples(100);
  std::iota(samples.begin(), samples.end(), 1);
  std::shuffle(samples.begin(), samples.end(), std::mt19937(1));
  const Summary s = summarise(samples);
  EXPECT_EQ(s.min, 1);
  EXPECT_EQ(s.p50, 50.5);
  EXPECT_EQ(s.p95, 95);
  EXPECT_EQ(s.p99, 99);
  EXPECT_EQ(s.max, 100);
  EXPECT_NEAR(s.cv, 29.011 / 50.5, 1e-4);
  // floor((100 - 19.6) / 2) = 40, ceil(1 + (100 + 19.6) / 2) = 61
  EXPECT_EQ(s.median_ci[0], 40);
  EXPECT_EQ(s.median_ci[1], 61);
}

TEST(Summary, OfTooFewSamplesClaimsNothing) {
  EXPECT_THROW(summarise({}), std::invalid_argument);
  const std::vector<double> one{3};
  EXPECT_TRUE(std::isinf(summarise(one).cv));
  const std::vector<double> five{5, 1, 4, 2, 3};
  EXPECT_FALSE(median_interval(five).has_value());
  EXPECT_EQ(summarise(five).median_ci, (std::array<double, 2>{1, 5}));
}

// The interval holds the true median in at least 95 % of repetitions, also for skewed samples.
TEST(MedianInterval, CoversTheMedian) {
  std::mt19937_64 random(2);
  std::lognormal_distribution<double> skewed(0, 1);  // median 1
  for (int n : {6, 10, 30, 101}) {
    int held = 0;
    const int trials = 20'000;
    for (int trial = 0; trial < trials; ++trial) {
      std::vector<double> x(static_cast<std::size_t>(n));
      for (double& v : x)
        v = skewed(random);
      std::sort(x.begin(), x.end());
      const auto ci = *median_interval(x);
      held += ci[0] <= 1 && 1 <= ci[1] ? 1 : 0;
    }
    EXPECT_GE(held, 0.945 * trials) << n << " samples";
  }
}

TEST(Thinning, FollowsTheMeasuredCorrelation) {
  EXPECT_EQ(thinning(0), 1);
  EXPECT_EQ(thinning(-0.5), 1);
  EXPECT_EQ(thinning(0.5), 5);  // the figures of the simulation that the rule comes from
  EXPECT_EQ(thinning(0.8), 14);
  EXPECT_EQ(thinning(0.999), 64);
  std::mt19937_64 random(3);
  std::normal_distribution<double> noise(0, 1);
  std::vector<double> x(20'000);
  for (std::size_t i = 1; i < x.size(); ++i)
    x[i] = 0.6 * x[i - 1] + noise(random);
  EXPECT_NEAR(lag1_autocorrelation(x), 0.6, 0.03);
  EXPECT_EQ(lag1_autocorrelation(std::vector<double>(100, 1.0)), 0);
}

TEST(SlowRank, IsNamedOnlyWhenItIsNoChance) {
  // Three equal ranks and one 10 % slower, the slowest in most iterations.
  std::vector<RankTimes> ranks{{1.0, 5}, {1.1, 90}, {1.0, 3}, {1.0, 2}};
  const auto slow = find_slow_rank(ranks, 100);
  ASSERT_TRUE(slow);
  EXPECT_EQ(slow->rank, 1u);
  EXPECT_NEAR(slow->excess, 0.1, 1e-12);
  // Often the slowest but hardly slower: nobody's fault.
  EXPECT_FALSE(find_slow_rank(std::vector<RankTimes>{{1.0, 5}, {1.01, 95}}, 100));
  // A quarter each: chance.
  EXPECT_FALSE(find_slow_rank(std::vector<RankTimes>{{1.0, 25}, {1.05, 27}, {1.0, 24}, {1.0, 24}}, 100));
  EXPECT_FALSE(find_slow_rank(std::vector<RankTimes>{{1.0, 3}}, 3));
}

// With equal ranks and heavy noise, a name is dropped in fewer than 1 in 1000 runs.
TEST(SlowRank, FalseAccusationsAreRare) {
  std::mt19937_64 random(4);
  std::normal_distribution<double> noise(1, 0.2);
  int accused = 0;
  const int runs = 4'000;
  for (int run = 0; run < runs; ++run) {
    std::vector<std::vector<double>> times(4);
    std::vector<RankTimes> ranks(4);
    for (int i = 0; i < 50; ++i) {
      std::size_t worst = 0;
      for (std::size_t r = 0; r < 4; ++r) {
        times[r].push_back(noise(random));
        if (times[r].back() > times[worst].back()) worst = r;
      }
      ++ranks[worst].slowest;
    }
    for (std::size_t r = 0; r < 4; ++r)
      ranks[r].median = median(times[r]);
    accused += find_slow_rank(ranks, 50).has_value() ? 1 : 0;
  }
  EXPECT_LE(accused, runs / 1000 + 3);
}

}  // namespace
}  // namespace mlc
