#include "bench/fleet/localisation/likelihood.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace mlc::fleet {

namespace {

// Reckoned by hand from the formulas of docs/fleet.md, not with the code's own functions.
double healthy(double x, double sigma) { return .3796 / std::pow(1 + x * x / 5, 3) / sigma; }

TEST(Likelihood, FollowsTheFormulas) {
  const double sigma = .005, rate = .9;
  const double p0 = healthy(-20, sigma), none_slow = std::pow(.995, 60);
  const double width = sigma + .12 * .1, ps = healthy(0, width);
  const Logs logs = flow_logs(rate, sigma, 0);
  EXPECT_NEAR(logs[0], std::log(.999 * p0 + .001) + std::log(.998 * none_slow + .002 / 61), 1e-4);
  EXPECT_NEAR(logs[1 + 4], std::log(.97 * ps + .03 * p0 + .001) + std::log(.75 * none_slow), 1e-4);
  EXPECT_NEAR(logs[1 + dead_severity], std::log(.03 * p0 + .001) + std::log(.75 * none_slow), 1e-4);
}

TEST(Likelihood, FasterThanUsualIsNoEvidence) {
  EXPECT_EQ(flow_logs(1, .005, 0), flow_logs(1.3, .005, 0));
  EXPECT_EQ(rate_logs(1, share_sigma), rate_logs(4, share_sigma));
}

TEST(Likelihood, SlowWindowsSpeakOfAFaultThatComesAndGoes) {
  const Logs few = flow_logs(1, .005, 0), many = flow_logs(1, .005, 10), most = flow_logs(1, .005, 59);
  EXPECT_GT(many[1] - many[0], few[1] - few[0] + 4);
  EXPECT_LT(most[1] - most[0], 1);
}

TEST(Likelihood, ADeadFlowIsOnlyExplainedByWhatCarriesNothing) {
  const Logs logs = dead_logs();
  for (int s = -1; s < dead_severity; ++s)
    EXPECT_NEAR(logs[static_cast<std::size_t>(s + 1)], std::log(3e-4), 1e-5);
  EXPECT_NEAR(logs[1 + dead_severity], std::log(.97), 1e-5);
}

// One flow in a thousand is spoilt by something else: no single one may be worth more than that, and a
// little.
TEST(Likelihood, OneFlowIsWorthNoMoreThanAGlitch) {
  for (const double rate : {.01, .5, .72, .9, .95}) {
    const Logs logs = flow_logs(rate, .004, 0);
    for (std::size_t s = 1; s < logs.size(); ++s)
      EXPECT_LT(logs[s] - logs[0], 12) << rate;
  }
}

}  // namespace

}  // namespace mlc::fleet
