#include "bench/fleet/measurement/flow_side.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace mlc::fleet {
namespace {

using testing::HasSubstr;

// 1 Gbit/s for each queue pair, in windows of 25 ms.
Windows steady(std::uint64_t bytes = 3'125'000) {
  return Windows(windows_a_test, {bytes, bytes, bytes, bytes});
}

FlowSide rate_of(double each) {
  FlowSide side;
  side.gbit_s.fill(each);
  return side;
}

RailSides both(double sent, double received) {
  return {.sent = rate_of(sent), .received = rate_of(received)};
}

TEST(FlowSide, IsTheMeanOfItsWindows) {
  const auto side = side_of(steady(), .025);
  EXPECT_NEAR(side.gbit_s[0], 1, 1e-9);
  EXPECT_NEAR(side.sum(), 4, 1e-9);
  EXPECT_EQ(side.slow_windows, 0);
  EXPECT_NEAR(side.gbit_s_error, 0, 1e-12);
}

TEST(FlowSide, WindowsBelowTheUsualSpreadAreSlow) {
  auto windows = steady();
  for (std::size_t i = 0; i < 18; ++i)
    windows[3 * i] = {1'562'500, 1'562'500, 1'562'500, 1'562'500};
  const auto side = side_of(windows, .025);
  EXPECT_EQ(side.slow_windows, 18) << "three in ten, half as fast, do not pass for the usual spread";
  EXPECT_GT(side.gbit_s_error, 0);
}

TEST(FlowSide, WhatTheNextWindowMakesUpForCameLate) {
  auto windows = steady();
  for (std::size_t i = 4; i + 1 < windows.size(); i += 6) {
    windows[i] = {1'562'500, 1'562'500, 1'562'500, 1'562'500};
    windows[i + 1] = {4'687'500, 4'687'500, 4'687'500, 4'687'500};
  }
  EXPECT_EQ(side_of(windows, .025).slow_windows, 0);
}

TEST(FlowSide, NoiseIsNotSlow) {
  auto windows = steady();
  for (std::size_t i = 0; i < windows.size(); ++i)
    windows[i][0] = 3'125'000 + (i % 2 == 0 ? 400'000 : -400'000);
  EXPECT_EQ(side_of(windows, .025).slow_windows, 0);
}

TEST(FlowSide, OfWindowsThatWereCutOffTheShareCounts) {
  auto windows = steady();
  windows.resize(30);
  for (std::size_t i = 0; i < 3; ++i)
    windows[i] = {};
  EXPECT_EQ(side_of(windows, .025).slow_windows, 6);
  EXPECT_EQ(side_of({}, .025).sum(), 0);
}

TEST(FlowSide, GoesOverJsonAndComesBack) {
  std::vector<RailSides> rails{both(1, 2), both(3, 4)};
  rails[0].sent.error = "No route to host", rails[0].sent.gbit_s = {};
  rails[1].grew.port = true, rails[1].received.slow_windows = 7, rails[1].received.gbit_s_error = .25;
  EXPECT_EQ(rail_sides_from(to_json(rails), 2), rails);
  EXPECT_THROW((void)rail_sides_from(to_json(rails), 3), std::runtime_error);
  EXPECT_THROW((void)rail_sides_from(nlohmann::json::object(), 2), std::runtime_error);
  auto broken = to_json(rails);
  broken[1]["sent"].erase("gbit_s");
  EXPECT_THROW((void)rail_sides_from(broken, 2), std::runtime_error);
}

TEST(TestSides, TheReceiversCountIsTheFlows) {
  const TestSides sides{{both(49, 40)}, {both(50, 48)}};
  const auto flows = flows_of(sides, 200);
  ASSERT_EQ(flows.size(), 2u);
  EXPECT_DOUBLE_EQ(flows[0].rate, 4 * 48. / 200);
  EXPECT_DOUBLE_EQ(flows[1].rate, 4 * 40. / 200);
  EXPECT_DOUBLE_EQ(flows[1].shares[2], 40. / 50);
}

TEST(TestSides, WhatDidNotRunOrCarriedNothingIsDead) {
  TestSides sides{{both(49, 50), both(50, 50)}, {both(50, 49), both(50, 0)}};
  sides.second[0].sent.error = "Connection timed out";
  const auto flows = flows_of(sides, 200);
  EXPECT_FALSE(flows[0].dead);
  EXPECT_TRUE(flows[1].dead) << "second could not send over rail 0";
  EXPECT_TRUE(flows[2].dead) << "nothing came over rail 1";
  EXPECT_FALSE(flows[3].dead);
}

TEST(TestSides, EndsThatCountApartAreToldWithBothFigures) {
  EXPECT_EQ(disagreement({{both(50, 50)}, {both(50, 49)}}, "gpu-a", "gpu-b"), "");
  EXPECT_THAT(disagreement({{both(50, 50), both(50, 50)}, {both(50, 50), both(50, 20)}}, "gpu-a", "gpu-b"),
              testing::AllOf(HasSubstr("rail 1: gpu-a sent 200.000"), HasSubstr("gpu-b received 80.000")));
  EXPECT_THAT(disagreement({{both(50, 50)}, {both(10, 50)}}, "gpu-a", "gpu-b"),
              HasSubstr("gpu-b sent 40.000"));
  auto failed = TestSides{{both(50, 50)}, {both(50, 0)}};
  failed.second[0].received.error = "reset";
  EXPECT_EQ(disagreement(failed, "a", "b"), "") << "who says that it failed does not contradict anybody";
}

TEST(Target, IsWhatTheFastestTenthReaches) {
  std::vector<TestSides> tests;
  for (int i = 0; i < 20; ++i)
    tests.push_back({{both(1, i == 0 ? 40 : 25)}, {both(1, i < 10 ? 25 : 12)}});
  EXPECT_DOUBLE_EQ(inferred_target(tests), 100);
  EXPECT_EQ(inferred_target({}), 0);
}

}  // namespace
}  // namespace mlc::fleet
