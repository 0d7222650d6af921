#include "validators/deciding/decide.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "bench/burnin/merge.hpp"
#include "tests/unit/burnt_in.hpp"

namespace mlc {
namespace {

using testing::Contains;
using testing::HasSubstr;

Series fine() {
  Series s{.collective = "allreduce", .bytes = 1024, .samples = 10, .algbw_gb_s = 1.024, .busbw_gb_s = 1.024};
  s.time_us = {.min = 1, .p50 = 1, .p95 = 1, .p99 = 1, .max = 1, .mean = 1}, s.wrong = 0, s.dtype = "float",
  s.ranks = 2, s.requested_bytes = 1024;
  return s;
}

Decision of(const Report& report, bool unknown_blocks = true,
            const char* text = "policy: t\nnode: {host: {nofile: 1}}\n") {
  Policy policy = read_policy(text, "t");
  policy.unknown_blocks = unknown_blocks;
  return decide(report, policy).decision;
}

TEST(Decide, CorrectResultsPassWithNothingToJudgeAgainst) {
  Report r;
  r.series = {fine()};
  EXPECT_EQ(of(r), Decision::pass);
  EXPECT_EQ(decide(r, {}).decision, Decision::pass);
}

TEST(Decide, NothingMeasuredIsNoPass) { EXPECT_EQ(of({}), Decision::inconclusive); }

TEST(Decide, WhatWasNotVerifiedIsNoPass) {
  Report r;
  r.series = {fine(), fine()};
  r.series[1].wrong.reset();
  EXPECT_EQ(of(r), Decision::inconclusive);
}

TEST(Decide, AFaultThatWasPlantedIsNoPass) {
  Report r;
  r.series = {fine()};
  r.run.fault = "delay:rank=1,us=100";
  EXPECT_THAT(decide(r, {}).because, Contains(HasSubstr("--inject delay:rank=1")));
  EXPECT_EQ(of(r), Decision::inconclusive);
}

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

TEST(Decide, WhatIsWrongWithTheNodeComesBeforeWhatIsSlow) {
  Report r;
  r.series = {fine()};
  r.series[0].stage = "allreduce";
  r.series[0].threshold = Judgement{.status = Status::fail, .why = "too slow"};
  const auto failed = [](const char* check, const char* subject) {
    return Finding{.check = check, .subject = subject, .status = Status::fail, .observed = "bad"};
  };
  r.findings = {failed("burnin.allreduce", "stage"), failed("burnin.copy", "stage"),
                failed("rdma.port-state", "rail 2")};
  EXPECT_THAT(decide(r, {}).because,
              testing::ElementsAre("rdma.port-state: rail 2: bad", "allreduce 1 KiB: too slow",
                                   "burnin.copy: stage: bad"));  // of which nothing else is told
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

TEST(Decide, AThresholdThatNoSeriesAnswersIsNoPass) {
  Report r;
  r.series = {fine()};
  const char* text =
      "policy: t\nthresholds: [{collective: allreduce, sizes: [1G], busbw_at_least: 1 GB/s}]\n";
  EXPECT_THAT(decide(r, read_policy(text, "t")).unmeasured,
              testing::ElementsAre(HasSubstr("allreduce 1 GiB")));
  EXPECT_EQ(of(r, true, text), Decision::inconclusive);
}

Report launch(Status status) {
  Report report;
  report.series = {fine()};
  report.series[0].threshold = Judgement{"busbw_gb_s", 90, status, "busbw 80.00 GB/s"};
  report.verdict = decide(report, {}, {});
  return report;
}

// The worst of several launches keeps a node from passing; alone it does not fail it.
TEST(Launches, OneThatAloneFallsShortIsInconclusiveTwoAreAFailure) {
  std::vector<Report> launches{launch(Status::pass), launch(Status::fail), launch(Status::pass)};
  decide_over_launches(launches, {});
  EXPECT_EQ(launches[0].verdict.decision, Decision::pass);
  EXPECT_EQ(launches[1].verdict.decision, Decision::inconclusive);
  EXPECT_EQ(launches[1].series[0].threshold->doubt, "launch");
  EXPECT_THAT(launches[1].verdict.because.front(), testing::HasSubstr("in one of 3 launches alone"));
  StageOutcome outcome{.stage = {.launches = 3}, .status = Status::unknown, .reports = launches};
  Report merged;
  merge_into(merged, outcome);
  EXPECT_EQ(decide(merged, {}).decision, Decision::inconclusive);
  EXPECT_EQ(merged.series[1].launch, 2);
  EXPECT_EQ(merged.series[1].of_launches, 3);

  std::vector<Report> two{launch(Status::fail), launch(Status::pass), launch(Status::fail)};
  decide_over_launches(two, {});
  EXPECT_EQ(two[0].verdict.decision, Decision::fail);
  std::vector<Report> only{launch(Status::fail)};
  decide_over_launches(only, {});
  EXPECT_EQ(only[0].verdict.decision, Decision::fail);
  // Other sizes are other questions.
  std::vector<Report> sizes{launch(Status::fail), launch(Status::fail)};
  sizes[1].series[0].bytes *= 2;
  decide_over_launches(sizes, {});
  EXPECT_EQ(sizes[0].verdict.decision, Decision::fail);
}

TEST(Launches, WrongDataInOneOfThemIsAFailure) {
  std::vector<Report> launches{launch(Status::pass), launch(Status::fail), launch(Status::pass)};
  launches[1].series[0].wrong = 1;
  decide_over_launches(launches, {});
  EXPECT_EQ(launches[1].verdict.decision, Decision::fail);
}

TEST(Decide, ChecksThatAllSkippedOrCouldNotTestAreNoPass) {
  Report r;
  r.findings = {{.check = "gpu.count", .status = Status::skip},
                {.check = "gpu.ecc", .status = Status::unknown}};
  EXPECT_EQ(of(r, false), Decision::inconclusive);
  r.findings.push_back({.check = "host.name", .status = Status::pass});
  EXPECT_EQ(of(r, false), Decision::pass);
}

TEST(Decide, ChecksUnderAPolicyThatAsksNothingAreNoPass) {
  Report r;
  r.findings = {{.check = "host.name", .status = Status::pass}};
  EXPECT_THAT(decide(r, read_policy("policy: idle\n", "t")).because,
              testing::ElementsAre(HasSubstr("nothing was asked: policy idle")));
}

TEST(Decide, AGpusFigureThatFailedFailsWithoutItsFinding) {
  Report r;
  r.findings = {{.check = "burnin.hbm", .status = Status::pass}};
  r.figures.gpu_results = {
      {.gpu = 3, .test = "hbm", .metric = "copy", .unit = "GB/s", .value = 1200, .samples = 9}};
  EXPECT_EQ(of(r, false), Decision::pass);
  r.figures.gpu_results[0].status = Status::fail;
  const Verdict verdict = decide(r, {});
  EXPECT_EQ(verdict.decision, Decision::fail);
  EXPECT_THAT(verdict.because, testing::ElementsAre("GPU 3: hbm copy 1200 GB/s failed"));
}

TEST(Decide, ChecksUnderAPolicyOfGpusAloneSayNothingWithoutAGpu) {
  const Policy policy = read_policy("policy: gpus\ngpu: {ecc: true}\n", "t");
  Report r;
  r.findings = {{.check = "overlay.default-route", .status = Status::pass},
                {.check = "gpu.ecc", .status = Status::skip}};
  EXPECT_THAT(decide(r, policy).because, testing::ElementsAre(HasSubstr("nothing was asked: policy gpus")));
  r.findings[1].status = Status::pass;
  EXPECT_EQ(decide(r, policy).decision, Decision::pass);
}

// What a report says of a series is held against the series' own figures and this policy's own bound.
TEST(Decide, AThresholdIsRecomputed) {
  const Policy& policy = test::admitting_policy();
  const auto with = [&](const std::function<void(Series&)>& change) {
    Report r;
    r.series = {test::allreduce()};
    change(r.series[0]);
    return decide(r, policy);
  };
  EXPECT_EQ(with([](Series&) {}).decision, Decision::pass);
  const std::vector<std::pair<const char*, std::function<void(Series&)>>> lies{
      {"was not judged", [](Series& s) { s.threshold.reset(); }},
      {"was judged against 100", [](Series& s) { s.threshold->bound = 100; }},
      {"was judged against", [](Series& s) { s.threshold->metric = "time_us"; }},
      {"is said to pass, and has 400", [](Series& s) { s.busbw_gb_s = 400, s.algbw_gb_s *= 1; }},
      {"is said to pass, and has 375",
       [](Series& s) {
         s.launches.assign(3, {32'000, 32'000, {31'000, 33'000}, 50});
         s.launches[1].p50_us = 40'000;
       }},
      {"does not show what its threshold was judged by", [](Series& s) { s.observation.reset(); }},
      {"judged again from what it shows it is undecided (stalls)",
       [](Series& s) { s.observation->wall_busbw_gb_s = 300; }},
      {"judged again from what it shows it is undecided (clock)",
       [](Series& s) { s.observation->untimed = 1; }},
      {"judged again from what it shows it is below the bound",
       [](Series& s) { s.observation->blocks_reached = 10; }},
      {"its bytes and time make", [](Series& s) { s.time_us.p50 *= 2; }},
      {"has no samples", [](Series& s) { s.samples = 0; }},
      {"has no samples", [](Series& s) { s.time_us.p50 = -1; }},
      {"was not verified", [](Series& s) { s.wrong.reset(); }},
      {"this ran over loopback", [](Series& s) { s.backend = "loopback"; }},
      {"8 ranks; this ran over nccl, 1 nodes, 2 ranks", [](Series& s) { s.ranks = 2; }},
      {"this ran over nccl, 2 nodes", [](Series& s) { s.nodes = 2; }},
      {"not measured: allreduce 8 GiB", [](Series& s) { s.placement = "in_place"; }},
      {"has times that contradict", [](Series& s) { s.time_us.max = 1; }},
      {"has times that contradict", [](Series& s) { s.time_us.mean = 1e6; }},
      {"has times of zero", [](Series& s) { s.time_us = {.p50 = s.time_us.p50}; }},
      {"has no wire_gb_s", [](Series& s) { s.threshold->metric = "wire_gb_s"; }},
      {"has no wire_gb_s",  // on one node there is no wire
       [](Series& s) { s.threshold->metric = "wire_gb_s", s.tuning = Tuning{.wire_gb_s = 470}; }}};
  for (const auto& [why, change] : lies) {
    const Verdict verdict = with(change);
    EXPECT_EQ(verdict.decision, Decision::inconclusive) << why;
    EXPECT_THAT(verdict.because, Contains(HasSubstr(why)));
  }
  EXPECT_EQ(with([](Series& s) { s.time_us.mean = s.time_us.max * (1 + 1e-15); }).decision, Decision::pass)
      << "equal times, and a mean that was rounded";
}
TEST(Merge, SeriesAndFindingsKeepTheirStageLaunchAndShape) {
  Report stage;
  stage.run.backend = "mpi", stage.run.nodes = 2, stage.run.fault = "hang";
  stage.series = {fine()}, stage.findings = {{.check = "host.name", .status = Status::pass}};
  const StageOutcome outcome{.stage = {.name = "one", .launches = 2},
                             .command = {"allreduce"},
                             .status = Status::pass,
                             .reports = {stage, stage},
                             .decided = 2};
  Report merged;
  merge_into(merged, outcome);
  ASSERT_EQ(merged.series.size(), 2u);
  EXPECT_EQ(merged.series[1].stage, "one");
  EXPECT_EQ(merged.series[1].launch, 2);
  EXPECT_EQ(merged.series[1].of_launches, 2);
  EXPECT_EQ(merged.series[1].backend, "mpi");
  EXPECT_EQ(merged.series[1].nodes, 2);
  EXPECT_EQ(merged.findings[1].launch, 2);
  EXPECT_EQ(merged.run.fault, "hang");
  EXPECT_EQ(merged.stages, (std::vector<StageRecord>{{"one", {"allreduce"}, 2, Status::pass, ""}}));
}

}  // namespace
}  // namespace mlc
