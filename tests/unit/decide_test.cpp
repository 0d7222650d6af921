#include "validators/deciding/decide.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mlc {
namespace {

Series fine() { return {.collective = "allreduce", .bytes = 1024, .samples = 10, .wrong = 0}; }

Decision of(Report report, bool unknown_blocks = true, std::vector<std::string> unmeasured = {}) {
  Policy policy;
  policy.unknown_blocks = unknown_blocks;
  return decide(report, policy, unmeasured).decision;
}

TEST(Decide, CorrectResultsPassWithNothingToJudgeAgainst) {
  Report r;
  r.series = {fine()};
  EXPECT_EQ(of(r), Decision::pass);
}

TEST(Decide, NothingMeasuredIsNoPass) { EXPECT_EQ(of({}), Decision::inconclusive); }

TEST(Decide, WrongDataFailsWhateverElseIsFine) {
  Report r;
  r.series = {fine(), fine()};
  r.series[1].wrong = 1;
  r.series[1].threshold = Judgement{.status = Status::pass};
  EXPECT_EQ(of(r), Decision::fail);
}

TEST(Decide, ThresholdsCountPerSize) {
  Report r;
  r.series = {fine(), fine()};
  r.series[0].threshold = Judgement{.status = Status::pass};
  r.series[1].threshold = Judgement{.status = Status::fail, .why = "1.8 % under"};
  EXPECT_EQ(of(r), Decision::fail);
  r.series[1].threshold->status = Status::unknown;
  EXPECT_EQ(of(r), Decision::inconclusive);
}

TEST(Decide, AFailureOutweighsWhatIsUndecided) {
  Report r;
  r.series = {fine()};
  r.errors = {{.what = "rank 1 died"}};
  EXPECT_EQ(of(r), Decision::inconclusive);
  r.series[0].wrong = 5;
  EXPECT_EQ(of(r), Decision::fail);
}

TEST(Decide, UnknownFindingsBlockWhereThePolicySaysSo) {
  Report r;
  r.series = {fine()};
  r.findings = {{.check = "gpu.ecc", .status = Status::unknown}};
  EXPECT_EQ(of(r, true), Decision::inconclusive);
  EXPECT_EQ(of(r, false), Decision::pass);
  r.findings[0].status = Status::fail;
  EXPECT_EQ(of(r, false), Decision::fail);
}

TEST(Decide, AThresholdWithoutAMeasurementIsNoPass) {
  Report r;
  r.series = {fine()};
  EXPECT_EQ(of(r, true, {"allreduce 1 GiB"}), Decision::inconclusive);
}

TEST(Decide, ChecksThatAllSkippedOrCouldNotTestAreNoPass) {
  Report r;
  r.findings = {{.check = "gpu.count", .status = Status::skip},
                {.check = "gpu.ecc", .status = Status::unknown}};
  EXPECT_EQ(of(r, false), Decision::inconclusive);
  r.findings.push_back({.check = "host.name", .status = Status::pass});
  EXPECT_EQ(of(r, false), Decision::pass);
}

}  // namespace
}  // namespace mlc
