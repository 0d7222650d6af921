#include "reports/history/change_point.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "reports/history/student.hpp"
#include "tests/reports/sample_history.hpp"

namespace mlc {
namespace {

using test::Noise;

TEST(StudentT, MatchesPublishedCriticalValues) {
  // Two-sided critical values from the usual tables.
  EXPECT_NEAR(student_two_sided(12.706, 1), 0.05, 1e-5);
  EXPECT_NEAR(student_two_sided(2.228, 10), 0.05, 1e-4);
  EXPECT_NEAR(student_two_sided(3.169, 10), 0.01, 1e-5);
  EXPECT_NEAR(student_two_sided(1.960, 1e6), 0.05, 1e-4);
  // One degree of freedom is Cauchy: P(|T| > t) = 1 - 2 atan(t) / pi, far into the tail.
  for (const double t : {0.1, 1.0, 10.0, 1e4})
    EXPECT_NEAR(student_two_sided(t, 1) / (1 - 2 * std::atan(t) / M_PI), 1, 1e-6) << t;
  EXPECT_EQ(student_two_sided(0, 10), 1);
  EXPECT_EQ(student_two_sided(INFINITY, 10), 0);
  EXPECT_EQ(student_two_sided(NAN, 10), 1);
}

std::vector<double> step(std::size_t count, std::size_t at, double size, double sigma, Noise& noise) {
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i)
    values.push_back((i < at ? 0 : size) + sigma * noise.normal());
  return values;
}

TEST(ChangePoint, FindsAStepWhereItIs) {
  Noise noise(3);
  for (const std::size_t at : {5u, 25u, 44u}) {
    const auto change = find_change(step(50, at, -0.05, 0.004, noise));
    ASSERT_TRUE(change) << at;
    EXPECT_EQ(change->index, at);
    EXPECT_NEAR(change->after - change->before, -0.05, 0.01);
    EXPECT_LT(change->p, 1e-5);
  }
}

TEST(ChangePoint, NoChangeInNothing) {
  EXPECT_FALSE(find_change({}));
  EXPECT_FALSE(find_change(std::vector<double>(5, 1.0)));
  EXPECT_FALSE(find_change(std::vector<double>(50, 1.0)));
  EXPECT_TRUE(find_changes({}).empty());
  EXPECT_TRUE(find_changes(std::vector<double>(1000, 0.25)).empty());
}

TEST(ChangePoint, ASingleWildReadingIsNoChange) {
  for (std::size_t at = 0; at < 50; ++at) {
    Noise noise(at);
    auto values = step(50, 50, 0, 0.004, noise);
    values[at] -= 8 * 0.004;
    EXPECT_FALSE(find_change(values)) << "the wild reading is number " << at;
  }
}

TEST(ChangePoint, AStepTooSmallToMatterIsNone) {
  // 0.8 % with hardly any noise: certain, and of no consequence.
  Noise noise(5);
  const auto values = step(50, 25, -0.008, 0.0002, noise);
  EXPECT_FALSE(find_change(values));
  EXPECT_TRUE(find_change(values, {.magnitude = 0.005}));
}

TEST(ChangePoint, ExactReadingsThatStepAreAChange) {
  std::vector<double> values(20, 1.0);
  for (std::size_t i = 10; i < 20; ++i)
    values[i] = 0.9;
  const auto change = find_change(values);
  ASSERT_TRUE(change);
  EXPECT_EQ(change->index, 10u);
}

TEST(ChangePoint, FindsTwoChangesInALongSeries) {
  Noise noise(11);
  std::vector<double> values;
  for (int i = 0; i < 365; ++i)
    values.push_back((i >= 200 && i < 300 ? -0.08 : 0.0) + 0.005 * noise.normal());
  const auto changes = find_changes(values);
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0].index, 200u);
  EXPECT_EQ(changes[1].index, 300u);
}

// How often a window with no change raises an alarm. `next` makes one reading of unit scale from the one
// before.
double false_alarms(int windows, std::uint64_t seed, const std::function<double(Noise&, double)>& next) {
  int alarms = 0;
  Noise noise(seed);
  for (int w = 0; w < windows; ++w) {
    double value = 0;
    for (int i = 0; i < 20; ++i)
      value = next(noise, value);  // into the stationary state
    std::vector<double> readings;
    for (int i = 0; i < 50; ++i)
      readings.push_back((value = next(noise, value)));
    for (auto& reading : readings)
      reading *= 0.02;  // 2 % noise, so that the 1 % magnitude gate does not help
    alarms += find_change(readings).has_value();
  }
  return static_cast<double>(alarms) / windows;
}

// statistics.md, section 3, gives about 3e-4 a window for the best split at p < 1e-5 on white noise. Twenty
// thousand windows make a rate of 1e-3 a certain failure (20 expected) and 3e-4 a certain pass.
TEST(FalseAlarms, WhiteNoise) {
  const double rate = false_alarms(20'000, 1, [](Noise& noise, double) { return noise.normal(); });
  RecordProperty("rate", std::to_string(rate));
  EXPECT_LE(rate, 6e-4);
}

// Readings that follow each other are alike to a degree: without the correction 5.7 % of the
// windows alarm at rho = 0.5.
TEST(FalseAlarms, CorrelatedNoise) {
  for (const double rho : {0.3, 0.5}) {
    const double rate = false_alarms(10'000, 2, [rho](Noise& noise, double before) {
      return rho * before + std::sqrt(1 - rho * rho) * noise.normal();
    });
    RecordProperty("rate_rho_" + std::to_string(static_cast<int>(rho * 10)), std::to_string(rate));
    EXPECT_LE(rate, 2e-3) << "rho " << rho;
  }
}

// One reading in twenty is five times as wild: a busy switch, a backup.
TEST(FalseAlarms, HeavyTails) {
  const double rate = false_alarms(
      10'000, 3, [](Noise& noise, double) { return noise.normal() * (noise.uniform() < 0.05 ? 5 : 1); });
  RecordProperty("rate", std::to_string(rate));
  EXPECT_LE(rate, 1e-3);
}

// A test of alarms that never fire proves nothing: the same windows with a real step must be found.
TEST(Power, AStepOfThreeSigmaIsFoundWithinTenReadings) {
  int found = 0;
  Noise noise(4);
  for (int w = 0; w < 1000; ++w)
    found += find_change(step(50, 40, -0.06, 0.02, noise)).has_value();
  RecordProperty("found", std::to_string(found));
  EXPECT_GE(found, 950);
}

TEST(FalseAlarms, AYearOfDailyReadings) {
  int alarms = 0;
  Noise noise(6);
  for (int series = 0; series < 2000; ++series) {
    std::vector<double> readings;
    for (int i = 0; i < 365; ++i)
      readings.push_back(0.02 * noise.normal());
    alarms += !find_changes(readings).empty();
  }
  RecordProperty("rate", std::to_string(alarms / 2000.0));
  EXPECT_LE(alarms, 20);  // 1 % of the series: 14 windows each at about 3e-4
}

}  // namespace
}  // namespace mlc
