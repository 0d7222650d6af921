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
  s.time_us.p50 = 1, s.wrong = 0, s.dtype = "float", s.ranks = 2, s.requested_bytes = 1024;
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
      {"has no wire_gb_s", [](Series& s) { s.threshold->metric = "wire_gb_s"; }},
      {"has no wire_gb_s",  // on one node there is no wire
       [](Series& s) { s.threshold->metric = "wire_gb_s", s.tuning = Tuning{.wire_gb_s = 470}; }}};
  for (const auto& [why, change] : lies) {
    const Verdict verdict = with(change);
    EXPECT_EQ(verdict.decision, Decision::inconclusive) << why;
    EXPECT_THAT(verdict.because, Contains(HasSubstr(why)));
  }
}

// Admission: each of these opened a node once, or is one step from what did.
TEST(Evidence, WhatIsMissingFromAReportIsNoPassAndSaysWhich) {
  const Policy& policy = test::admitting_policy();
  ASSERT_EQ(decide(test::earned_report(), policy, test::wanted()).decision, Decision::pass)
      << testing::PrintToString(decide(test::earned_report(), policy, test::wanted()).because);
  const auto drop = [](auto& list, auto match) { std::erase_if(list, match); };
  using Change = std::function<void(Report&)>;
  const std::vector<std::pair<const char*, Change>> lies{
      {"stage validate of policy test is not in the report",
       [](Report& r) {
         r = [&] {
           Report e;
           e.tool = r.tool, e.run = r.run, e.environment = r.environment;
           return e;
         }();
       }},
      {"stage allreduce of policy test is not in the report", [](Report& r) { r.stages.pop_back(); }},
      {"launch 2 of 2: the report shows nothing", [](Report& r) { r.series.pop_back(); }},
      {"launch 2 of 2: its series are another launch's",
       [](Report& r) { r.series[1] = r.series[0], r.series[1].launch = 2; }},
      {"has 1 launches, and the policy asks for 2", [](Report& r) { r.stages[1].launches = 1; }},
      {"said to end with 'warn'", [](Report& r) { r.stages[1].status = Status::warn; }},
      {"the report shows nothing that it measured",
       [](Report& r) {
         for (auto& f : r.findings)
           if (f.stage == "validate") f.status = Status::skip;
       }},
      {"no finding of rdma.mtu",
       [&](Report& r) { drop(r.findings, [](const Finding& f) { return f.check == "rdma.mtu"; }); }},
      {"ran 'allreduce --backend loopback --sizes 64K'",
       [](Report& r) {
         r.stages[1].command = {"allreduce", "--backend", "loopback", "--sizes", "64K"};
       }},
      {"ran 'allreduce --backend nccl --sizes 8G -d int8'",
       [](Report& r) {
         r.stages[1].command.insert(r.stages[1].command.end(), {"-d", "int8"});
       }},
      {"is undecided (too_short)", [](Report& r) { r.series[1].observation->wall_s = 29; }},
      {"is undecided (stall)", [](Report& r) { r.series[0].observation->longest_us = 2e6; }},
      {"launch 1 of 2: the report shows nothing",
       [](Report& r) {
         for (auto& series : r.series)
           series.collective = "alltoall";
       }},
      {"launch 2 of 2: the report shows nothing", [](Report& r) { r.series[1].backend = "loopback"; }},
      {"launch 1 of 2: the report shows nothing", [](Report& r) { r.series[0].dtype = "int8"; }},
      {"is of no ranks or no dtype", [](Report& r) { r.series[0].dtype = "nosuch"; }},
      {"launch 2 of 2: the report has no series of 8G",
       [](Report& r) { r.series[1].bytes = r.series[1].requested_bytes = 4096; }},
      {"has 4 KiB where 8 GiB were asked for",
       [](Report& r) {
         r.series[1].bytes = 4096;
         r.series[1].algbw_gb_s = 4096 / r.series[1].time_us.p50 / 1e3, r.series[1].busbw_gb_s = 0;
       }},
      {"a bus bandwidth that no operation has", [](Report& r) { r.series[1].busbw_gb_s *= 2; }},
      {"observed otherwise than its samples say", [](Report& r) { r.series[1].samples = 1; }},
      {"and its run lasted 600", [](Report& r) { r.series[1].observation->wall_s = 1e6; }},
      {"on which machine", [](Report& r) { r.environment.nodes[0].machine_id.clear(); }},
      {"another boot",
       [](Report& r) {
         r.environment.nodes.push_back(r.environment.nodes[0]);
         r.environment.nodes[1].boot_id = "boot-2";
       }},
      {"stage allreduce is in the report more than once", [](Report& r) { r.stages.push_back(r.stages[1]); }},
      {"is of no burn-in", [](Report& r) { r.run.plan = "health"; }},
      {"stage allreduce: did not fit",
       [](Report& r) { r.stages[1].status = Status::unknown, r.stages[1].why = "did not fit"; }},
      {"under which policy", [](Report& r) { r.run.policy_digest.clear(); }},
      {"under another policy", [](Report& r) { r.run.policy_digest = "sha256:00"; }},
      {"by version '0.9'", [](Report& r) { r.tool.version = "0.9"; }},
      {"is not of gpu-7", [](Report& r) { r.environment.nodes[0].name = "gpu-8"; }},
      {"in which boot", [](Report& r) { r.environment.nodes[0].boot_id.clear(); }},
      {"another boot", [](Report& r) { r.environment.nodes[0].boot_id = "boot-0"; }},
      {"another machine", [](Report& r) { r.environment.nodes[0].machine_id = "machine-2"; }},
      {"yet to come", [](Report& r) { r.run.started = "2036-01-01T00:00:00Z"; }},
      {"yet to come", [](Report& r) { r.run.duration_s = 1e6; }},
      {"how long", [](Report& r) { r.run.duration_s = 0; }},
      {"how long", [](Report& r) { r.run.duration_s = -5; }},
      {"when its run began", [](Report& r) { r.run.started = "yesterday"; }},
      {"its run lasted", [](Report& r) { r.run.duration_s = 2; }},
      {"a fault was planted", [](Report& r) { r.run.fault = "flip"; }},
      {"had not finished",
       [](Report& r) { r.errors = {{.what = "the burn-in had not finished when this was written"}}; }}};
  for (const auto& [why, change] : lies) {
    Report report = test::earned_report();
    change(report);
    const Verdict verdict = decide(report, policy, test::wanted());
    EXPECT_EQ(verdict.decision, Decision::inconclusive) << why;
    EXPECT_THAT(verdict.because, Contains(HasSubstr(why)));
  }
}

// What a stage's command asks for is found however its options are written.
TEST(Evidence, SeriesOfAnotherBackendDtypeOrSizeAreNotTheStages) {
  using Words = std::vector<std::string>;
  const auto because = [](const Words& command, const Series& series) {
    Policy policy = test::admitting_policy();
    policy.thresholds.clear();
    auto plan = *policy.burnin;
    plan.stages = {plan.stages[1]};
    plan.stages[0].command = command, plan.stages[0].launches = 1;
    policy.burnin = plan;
    Report report = test::earned_report();
    report.series = {series}, report.findings.clear();
    report.stages = {{plan.stages[0].name, command, 1, Status::pass, "pass in 1 s"}};
    auto wanted = test::wanted();
    wanted.plan = plan;
    return decide(report, policy, wanted).because;
  };
  const auto with = [](auto change) {
    Series series = test::allreduce();
    series.threshold.reset();
    change(series);
    return series;
  };
  const auto other_backend = with([](Series& s) { s.backend = "mpi"; });
  const auto other_dtype = with([](Series& s) { s.dtype = "int8"; });
  const auto smaller = with([](Series& s) { s.bytes = s.requested_bytes = 4096; });
  for (const auto& [command, series] : std::vector<std::pair<Words, Series>>{
           {{"allreduce", "--backend", "nccl"}, other_backend},
           {{"allreduce", "--backend=nccl"}, other_backend},
           {{"allreduce", "--backend", "nccl"}, other_dtype},
           {{"allreduce", "--sizes=8G"}, smaller},
           {{"allreduce", "-s8G"}, smaller},
           {{"allreduce", "-o", "max"}, with([](Series&) {})},
           {{"allreduce", "-b", "4G", "-e", "8G", "-f", "2"}, with([](Series&) {})},
           {{"allreduce", "-b", "8G", "-e", "8G"}, smaller}})
    EXPECT_THAT(because(command, series), Contains(HasSubstr("the report")))
        << testing::PrintToString(command);
  for (const auto& [command, series] :
       std::vector<std::pair<Words, Series>>{{{"allreduce", "--backend=mpi"}, other_backend},
                                             {{"allreduce", "-dint8"}, other_dtype},
                                             {{"allreduce", "-b4K", "-e5K"}, smaller},
                                             {{"allreduce", "-o", "sum"}, with([](Series&) {})},
                                             {{"allreduce", "--sizes=4K"}, smaller}})
    EXPECT_THAT(because(command, series), testing::Not(Contains(HasSubstr("the report"))))
        << testing::PrintToString(command) << testing::PrintToString(because(command, series));
}

// A stage that names checks and rooms is whole with a finding of each.
TEST(Evidence, AStageThatNamesChecksHasAFindingOfEach) {
  Policy policy = test::admitting_policy();
  auto plan = *policy.burnin;
  plan.stages = {plan.stages[0]};
  plan.stages[0].command = {"validate", "rdma", "host.limits", "--peer", "{peer}"};
  policy.burnin = plan;
  Report report = test::earned_report();
  report.stages = {{"validate", {"validate", "rdma", "host.limits", "--peer", "gpu-b"}, 1, Status::pass, ""}};
  auto wanted = test::wanted();
  wanted.plan = plan, wanted.kind = RunKind::passive, report.run.plan = "passive";
  wanted.checks = {"host.limits", "host.disks", "rdma.mtu", "rdma.flaps"};
  const auto because = decide(report, policy, wanted).because;
  EXPECT_THAT(because, Contains(HasSubstr("no finding of rdma.flaps")));
  EXPECT_THAT(because, testing::Not(Contains(HasSubstr("host.disks"))));
}

// A policy asks for something, and what was run is something else.
TEST(Evidence, ABurnInThatTestedNothingOfWhatItsPolicyAsksIsNoPass) {
  const std::string stages =
      "burnin:\n  stages:\n    - {stage: validate, command: [validate, host.limits]}\n";
  for (const auto& [asks, why] : std::vector<std::pair<std::string, std::string>>{
           {"thresholds:\n  - {collective: alltoall, backend: nccl, nodes: 2, busbw_at_least: 20 GB/s}\n",
            "no threshold of the policy was judged"},
           {"gpu: {ecc: true}\n", "no GPU was tested"},
           {"rdma: {share_of_siblings: 0.9}\nnode: {host: {disks: 4}}\n", "no rail was tested"},
           {"node: {rails: {count: 4}}\n", "pci.inventory tested nothing"}}) {
    const Policy policy = read_policy("policy: idle\n" + asks + stages, "t");
    Report report = test::earned_report();
    report.run.policy_digest = policy.digest, report.series.clear(), report.findings.resize(1);
    report.stages = {{"validate", {"validate", "host.limits"}, 1, Status::pass, ""}};
    auto wanted = test::wanted();
    wanted.plan = policy.burnin;
    const Verdict verdict = decide(report, policy, wanted);
    EXPECT_EQ(verdict.decision, Decision::inconclusive) << asks;
    EXPECT_THAT(verdict.because, Contains(HasSubstr(why)));
  }
}

TEST(Evidence, AFailedFindingOrStageInsideFailsWhateverTheReportSays) {
  Report report = test::earned_report();
  report.verdict.decision = Decision::pass;
  report.findings[0].status = Status::fail;
  EXPECT_EQ(decide(report, test::admitting_policy(), test::wanted()).decision, Decision::fail);
  report = test::earned_report();
  report.stages[1].status = Status::fail;
  EXPECT_EQ(decide(report, test::admitting_policy(), test::wanted()).decision, Decision::fail);
}

// What cannot be shown to be of this node must not shut it either.
TEST(Evidence, AFailureOfAnotherMachineOrTimeIsNoFailureOfThisOne) {
  Report report = test::earned_report();
  report.series[0].wrong = 7;
  ASSERT_EQ(decide(report, test::admitting_policy(), test::wanted()).decision, Decision::fail);
  report.environment.nodes[0].machine_id = "machine-2";
  EXPECT_EQ(decide(report, test::admitting_policy(), test::wanted()).decision, Decision::inconclusive);
}

TEST(Evidence, APolicyThatAsksNothingOpensNoNode) {
  const Policy policy = read_policy(
      "policy: idle\nunknown_blocks: false\nburnin: {stages: [{stage: validate, command: [validate]}]}\n",
      "t");
  Report report = test::earned_report();
  report.series.clear(), report.stages.pop_back();
  report.run.policy_digest = policy.digest;
  Wanted wanted = test::wanted();
  wanted.plan = policy.burnin;
  EXPECT_THAT(decide(report, policy, wanted).because, testing::ElementsAre(HasSubstr("nothing was asked")));
  wanted.plan.reset();
  EXPECT_THAT(decide(report, policy, wanted).because, Contains(HasSubstr("does not say what is run")));
}

// Every threshold for one node is answered by some stage, or the policy and its plan do not fit.
TEST(Evidence, AThresholdThatNoStageMeasuresIsNoPass) {
  Policy policy = test::admitting_policy();
  policy.thresholds.push_back(policy.thresholds.front());
  policy.thresholds.back().collective = "allgather";
  EXPECT_THAT(decide(test::earned_report(), policy, test::wanted()).because,
              testing::ElementsAre(HasSubstr("not measured: allgather over nccl, 460 GB/s")));
  policy.thresholds.back().nodes = 2;  // between nodes: of a stage that has peers
  EXPECT_EQ(decide(test::earned_report(), policy, test::wanted()).decision, Decision::pass);
}

// Ranks of one machine are one node, whatever a series says of them.
TEST(Evidence, TwoNodesAreTwoBoots) {
  Policy policy = test::admitting_policy();
  policy.thresholds.front().nodes = 2;
  Report report = test::earned_report();
  for (auto& series : report.series)
    series.nodes = 2;
  EXPECT_EQ(decide(report, policy, test::wanted()).decision, Decision::inconclusive);
  report.environment.nodes.push_back(report.environment.nodes.front());
  report.environment.nodes.back().name = "gpu-8", report.environment.nodes.back().boot_id = "boot-8";
  EXPECT_EQ(decide(report, policy, test::wanted()).decision, Decision::pass);
}

// The overlay for our own cluster once could admit no node. What each of its stages leaves when all is well,
// by hand: it must be enough.
// Whatever it showed alone: the policies of clusters with rails want every stage between nodes, over all
// rails.
TEST(Evidence, ANodeWhoseWayToOthersWasNotMeasuredIsNotAdmitted) {
  for (const std::string name :
       {"h100-4x200g", MLC_SOURCE_DIR "/k8s/manifests/overlays/sakura-h100/policy.yaml"}) {
    const Policy policy = load_policy(name);
    ASSERT_TRUE(policy.fabric && policy.burnin && policy.target && policy.rdma) << name;
    const auto& first = policy.fabric->stages.front().command;
    EXPECT_EQ(first, (std::vector<std::string>{"rdma", "write", "--connect", "{peer}"}))
        << "over all rails, to another node";
    EXPECT_GE(policy.dispatch.partners, 3);
    Wanted wanted = test::wanted();
    wanted.plan = wanted_plan(policy, RunKind::fabric), wanted.kind = RunKind::fabric;
    Report report = test::earned_report();
    report.run.policy_digest = policy.digest, report.run.plan = "fabric";
    report.stages.clear();
    for (const auto& stage : policy.burnin->stages)
      report.stages.push_back({stage.name, stage.command, stage.launches, Status::pass, "pass"});
    const Verdict verdict = decide(report, policy, wanted);
    EXPECT_EQ(verdict.decision, Decision::inconclusive);
    for (const auto& stage : policy.fabric->stages) {
      EXPECT_TRUE(stage.required) << stage.name;
      EXPECT_THAT(verdict.because, Contains(HasSubstr("stage " + stage.name + " of policy " + policy.name +
                                                      " is not in the report")));
    }
  }
}

TEST(Evidence, AHealthyNodeEarnsThePassOfTheShippedPolicy) {
  const Policy policy = load_policy("h100-4x200g");
  Wanted wanted = test::wanted();
  wanted.plan = policy.burnin;
  wanted.checks = {"pci.inventory", "gpu.count", "host.limits", "vf.count"};
  Report report = test::earned_report();
  report.run.policy_digest = policy.digest, report.run.duration_s = 3600;
  wanted.now = test::began + 3700;
  report.series.clear(), report.stages.clear(), report.findings.clear();
  for (const auto& stage : policy.burnin->stages) {
    if (!stage.required) continue;
    report.stages.push_back({stage.name, stage.command, stage.launches, Status::pass, "pass"});
    const auto found = [&](const std::string& check, Status status = Status::pass) {
      report.findings.push_back({.check = check, .status = status, .stage = stage.name, .launch = 1});
    };
    const std::string& command = stage.command.front();
    if (command == "validate")
      for (const auto& check : wanted.checks)
        found(check, check == "vf.count" ? Status::skip : Status::pass);  // as in a Pod
    else if (command == "gpu")
      found("burnin.hbm-copy");
    else if (command == "rdma")
      found("rdma.bandwidth");
    else
      for (int launch = 1; launch <= stage.launches; ++launch) {
        Series series = test::allreduce(launch);
        series.collective = command, series.stage = stage.name;
        if (command != "allreduce")
          series.redop.clear(), series.busbw_gb_s = series.algbw_gb_s * 1.4, series.threshold->bound = 350,
                                series.observation->wall_busbw_gb_s = series.busbw_gb_s;
        report.series.push_back(series);
      }
  }
  EXPECT_THAT(decide(report, policy, wanted).because, testing::IsEmpty());
  for (std::size_t i = 0; i < report.stages.size(); ++i) {
    Report less = report;
    less.stages.erase(less.stages.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_EQ(decide(less, policy, wanted).decision, Decision::inconclusive) << report.stages[i].name;
  }
}

// Of a policy whose two sections are alike.
TEST(Evidence, AHealthRunIsToldFromABurnInByWhatItIsAndNotByItsStages) {
  Policy policy = test::admitting_policy();
  policy.health = policy.burnin;
  Report report = test::earned_report();
  report.run.plan = "health";
  Wanted wanted = test::wanted();
  EXPECT_EQ(decide(report, policy, wanted).decision, Decision::inconclusive);
  wanted.plan = policy.health, wanted.kind = RunKind::health;
  EXPECT_EQ(decide(report, policy, wanted).decision, Decision::pass);
}

TEST(Evidence, APeersNameStandsForThePlaceholder) {
  Policy policy = test::admitting_policy();
  policy.burnin->stages[2].required = true;
  Wanted wanted = test::wanted();
  wanted.plan = policy.burnin;
  Report report = test::earned_report();
  report.stages.push_back({"far", {"rdma", "write", "--connect", "gpu-b:9"}, 1, Status::pass, "pass"});
  report.findings.push_back(
      {.check = "rdma.write", .subject = "rail 0", .status = Status::pass, .stage = "far", .launch = 1});
  EXPECT_EQ(decide(report, policy, wanted).decision, Decision::pass);
  report.stages.back().command[3] = "gpu-b:10";
  EXPECT_EQ(decide(report, policy, wanted).decision, Decision::inconclusive);
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
