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

TEST(Correlation, OfSuccessiveSamples) {
  std::mt19937_64 random(3);
  std::normal_distribution<double> noise(0, 1);
  std::vector<double> x(20'000);
  for (std::size_t i = 1; i < x.size(); ++i)
    x[i] = 0.6 * x[i - 1] + noise(random);
  EXPECT_NEAR(lag1_autocorrelation(x), 0.6, 0.03);
  EXPECT_EQ(lag1_autocorrelation(std::vector<double>(100, 1.0)), 0);
}

}  // namespace
}  // namespace mlc
