#include "bench/stats/sequential_test.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace mlc {
namespace {

struct Rates {
  double pass = 0, fail = 0, undecided = 0, mean_samples = 0;
};

// Normal samples with coefficient of variation 1 and the median `margin` of it above the bound.
Rates simulate(double margin, int trials, std::uint64_t most, std::uint64_t seed, double slow_share = 0) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> noise(100 + margin, 1);
  std::bernoulli_distribution slow(slow_share);
  Rates rates;
  for (int i = 0; i < trials; ++i) {
    std::uint64_t samples = 0, reached = 0;
    Conclusion answer = Conclusion::undecided;
    while (answer == Conclusion::undecided && samples < most) {
      reached += noise(random) * (slow(random) ? 0.85 : 1) >= 100 ? 1 : 0;
      answer = sign_test(reached, ++samples, 1e-3, 1e-2);
    }
    rates.pass += answer == Conclusion::at_least ? 1 : 0;
    rates.fail += answer == Conclusion::below ? 1 : 0;
    rates.mean_samples += static_cast<double>(samples);
  }
  rates.pass /= trials, rates.fail /= trials, rates.mean_samples /= trials;
  rates.undecided = 1 - rates.pass - rates.fail;
  return rates;
}

// The promise: however often one looks, a node just below the bound passes in at most 1 of 1000, one exactly
// at it fails in at most 1 of 100. A fixed seed; the allowance is three standard errors.
TEST(SequentialTest, FalsePassAndFalseFailRatesAreBounded) {
  const int trials = 20'000;
  const Rates below = simulate(-1e-9, trials, 300, 11);
  EXPECT_LE(below.pass, 1e-3 + 3 * std::sqrt(1e-3 / trials));
  const Rates at = simulate(+1e-9, trials, 300, 12);
  EXPECT_LE(at.fail, 1e-2 + 3 * std::sqrt(1e-2 / trials));
  RecordProperty("false_pass", std::to_string(below.pass));
  RecordProperty("false_fail", std::to_string(at.fail));
}

// Sample counts of the design (statistics reference, simulated there independently).
TEST(SequentialTest, DecidesAsFastAsDesigned) {
  const Rates clear_pass = simulate(3, 2'000, 60, 13), pass = simulate(2, 2'000, 60, 14),
              fail = simulate(-2, 2'000, 60, 15);
  EXPECT_GE(clear_pass.pass, 0.999);
  EXPECT_NEAR(clear_pass.mean_samples, 13, 1);
  EXPECT_GE(pass.pass, 0.99);
  EXPECT_NEAR(pass.mean_samples, 15, 1.5);
  EXPECT_GE(fail.fail, 0.999);
  EXPECT_NEAR(fail.mean_samples, 10, 1.5);
}

TEST(SequentialTest, OneSlowBatchInTwentyDoesNotFailAGoodNode) {
  EXPECT_GE(simulate(2, 2'000, 60, 16, 0.05).pass, 0.98);
}

TEST(SequentialTest, NoiseAroundTheBoundStaysUndecided) {
  EXPECT_GE(simulate(0, 2'000, 60, 17).undecided, 0.98);
}

TEST(SequentialTest, RefusesImpossibleRates) {
  EXPECT_THROW(sign_test(0, 0, 0, 0.1), std::invalid_argument);
  EXPECT_THROW(sign_test(0, 0, 0.1, 1), std::invalid_argument);
}

}  // namespace
}  // namespace mlc
