#include "validators/deciding/figure_evidence.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/burnt_in.hpp"

namespace mlc {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

const Policy& asking() {
  static const Policy policy = read_policy(R"(policy: asking
target: {rails: 4, rail_gbit_s: 200, mtu: 4096}
node: {gpus: {count: 2}, host: {nofile: 1}}
gpu:
  hbm: {copy_at_least: 90 %}
  gemm: {bf16_tflop_s_at_least: 620}
  launch: {latency_us_at_most: 20}
  nvlink: {gb_s_at_least: 360}
rdma: {share_of_ceiling: 0.95}
burnin:
  stages:
    - {stage: validate, command: [validate]}
    - {stage: gpu, command: [gpu]}
    - {stage: rails, command: [rdma, write, --loopback]}
)",
                                           "test");
  return policy;
}

GpuResult figure(int gpu, const char* test, const char* metric, double value) {
  GpuResult one;
  one.node = "gpu-7", one.gpu = gpu, one.test = test, one.metric = metric, one.value = value;
  one.samples = 20, one.status = Status::pass;
  if (one.test == "hbm") one.share_of_limit = 0.95;
  return one;
}

Report earned() {
  Report r = test::earned_report();
  r.series.clear(), r.run.policy = "asking", r.run.policy_digest = asking().digest;
  r.findings = {
      {.check = "host.limits", .subject = "nofile", .status = Status::pass, .stage = "validate", .launch = 1},
      {.check = "gpu.count", .subject = "node", .status = Status::pass, .stage = "validate", .launch = 1},
      {.check = "burnin.hbm-copy", .subject = "GPU 0", .status = Status::pass, .stage = "gpu", .launch = 1},
      {.check = "burnin.gemm-bf16", .subject = "GPU 0", .status = Status::pass, .stage = "gpu", .launch = 1},
      {.check = "burnin.launch-graph",
       .subject = "GPU 0",
       .status = Status::pass,
       .stage = "gpu",
       .launch = 1},
      {.check = "burnin.nvlink-data",
       .subject = "GPU 0",
       .status = Status::pass,
       .stage = "gpu",
       .launch = 1},
      {.check = "rdma.bandwidth",
       .subject = "rail 0",
       .status = Status::pass,
       .stage = "rails",
       .launch = 1}};
  r.stages = {{"validate", {"validate"}, 1, Status::pass, ""},
              {"gpu", {"gpu"}, 1, Status::pass, ""},
              {"rails", {"rdma", "write", "--loopback"}, 1, Status::pass, ""}};
  for (int gpu = 0; gpu < 2; ++gpu)
    for (const auto& one : {figure(gpu, "hbm", "copy", 3000), figure(gpu, "gemm", "bf16", 700),
                            figure(gpu, "launch", "latency", 9)})
      r.figures.gpu_results.push_back(one);
  r.figures.matrices = {{.kind = "gpu_pair",
                         .title = "GPU to GPU, copy-engine",
                         .by = copy_engine_pairs,
                         .rows = {"GPU 0", "GPU 1"},
                         .columns = {"GPU 0", "GPU 1"},
                         .values = {std::nullopt, 375, 371, std::nullopt}}};
  for (int rail = 0; rail < 4; ++rail) {
    RailResult one;
    one.node = "gpu-7", one.rail = rail, one.device = "mlx5_" + std::to_string(rail), one.operation = "write",
    one.bytes = 1 << 20;
    one.gbit_s = 194.5, one.wrong = 0, one.status = Status::pass;
    r.figures.rails.push_back(one);
  }
  return r;
}

Verdict decided(const Report& report) {
  Wanted wanted = test::wanted();
  wanted.plan = asking().burnin;
  wanted.checks = {{"host.limits", {"host.nofile"}}, {"gpu.count", {"gpus.count"}}};
  return decide(report, asking(), wanted);
}

TEST(Figures, AreJudgedAgain) {
  ASSERT_EQ(decided(earned()).decision, Decision::pass) << testing::PrintToString(decided(earned()).because);
  using Change = std::function<void(Figures&)>;
  for (const auto& [why, change] : std::vector<std::pair<const char*, Change>>{
           {"no pair of GPUs was measured", [](Figures& f) { f.matrices[0].by.clear(); }},
           {"no pair of GPUs was measured", [](Figures& f) { f.matrices[0].by = "sm-write"; }},
           {"hbm copy was judged of 1 of 2 GPUs",
            [](Figures& f) { f.gpu_results.erase(f.gpu_results.begin()); }},
           {"gemm bf16 was judged of 1 of 2 GPUs",
            [](Figures& f) { f.gpu_results[1].status = Status::skip; }},
           {"gemm bf16 was judged of 1 of 2 GPUs",
            [](Figures& f) { f.gpu_results[1].status = Status::unknown; }},
           {"launch latency was judged of 1 of 2 GPUs", [](Figures& f) { f.gpu_results[2].samples = 0; }},
           {"GPU 0: hbm copy is said to be good, and is 10.0 %",
            [](Figures& f) { f.gpu_results[0].share_of_limit = 0.1; }},
           {"does not say its share", [](Figures& f) { f.gpu_results[0].share_of_limit.reset(); }},
           {"GPU 0: gemm bf16 is said to be good, and is 6", [](Figures& f) { f.gpu_results[1].value = 6; }},
           {"GPU 1: launch latency is said to be good", [](Figures& f) { f.gpu_results[5].value = 90; }},
           {"gpu-7 rail 2: is said to be good at 0.50 Gbit/s", [](Figures& f) { f.rails[2].gbit_s = 0.5; }},
           {"bandwidth of 3 of 4 rails was judged", [](Figures& f) { f.rails[1].status = Status::skip; }},
           {"bandwidth of 3 of 4 rails was judged", [](Figures& f) { f.rails[1].status = Status::unknown; }},
           {"bandwidth of 3 of 4 rails was judged", [](Figures& f) { f.rails[1].bytes = 8; }},
           {"bandwidth of 3 of 4 rails was judged", [](Figures& f) { f.rails[1].node = "gpu-z"; }},
           {"bandwidth of 3 of 4 rails was judged", [](Figures& f) { f.rails[1].device = "mlx5_0"; }},
           {"gpu-7 rail 2: is said to be good, and its data was not verified",
            [](Figures& f) { f.rails[2].wrong.reset(); }},
           {"no pair of GPUs was measured", [](Figures& f) { f.matrices.clear(); }},
           {"has 10 GB/s where the policy asks for 360", [](Figures& f) { f.matrices[0].values[1] = 10; }},
           {"hbm copy was judged of 1 of 2 GPUs", [](Figures& f) {
              for (auto& one : f.gpu_results)
                one.uuid = "GPU-one";
            }}}) {
    Report report = earned();
    change(report.figures);
    const Verdict verdict = decided(report);
    EXPECT_EQ(verdict.decision, Decision::inconclusive) << why;
    EXPECT_THAT(verdict.because, Contains(HasSubstr(why)));
  }
}

// A test that the policy asks something of, and no stage ran.
TEST(Figures, EachTestThatThePolicyAsksOfIsRun) {
  Report report = earned();
  std::erase_if(report.findings, [](const Finding& f) { return f.check == "burnin.launch-graph"; });
  EXPECT_THAT(decided(report).because, Contains(HasSubstr("gpu.launch: no stage ran that test")));
}

// A policy that does not say how many GPUs there are asks it of all that the report knows.
TEST(Figures, GpusThatNobodyCountsAreThoseOfTheReport) {
  Policy policy = asking();
  policy.node->gpus.reset();
  Report report = earned();
  Wanted wanted = test::wanted();
  wanted.plan = policy.burnin;
  EXPECT_THAT(figures_never_judged(report, policy, wanted), IsEmpty());
  std::erase_if(report.findings, [](const Finding& f) { return f.check == "burnin.nvlink-data"; });
  report.figures.matrices.clear();
  EXPECT_THAT(figures_never_judged(report, policy, wanted), Contains(HasSubstr("gpu.nvlink")));
  report = earned();
  std::erase_if(report.figures.gpu_results, [](const GpuResult& one) { return one.gpu == 1; });
  EXPECT_THAT(figures_never_judged(report, policy, wanted), Contains(HasSubstr("of 1 of 2 GPUs")));
}

// Bandwidth that a fabric stage measures is not missed before it; one that measures latency alone is no such.
TEST(Figures, OfRailsAreLeftToAFabricStageThatMeasuresThem) {
  Policy policy = asking();
  Report report = earned();
  for (auto& rail : report.figures.rails)
    rail.p50_us = 3;
  Wanted wanted = test::wanted();
  wanted.plan = policy.burnin;
  EXPECT_THAT(figures_never_judged(report, policy, wanted), Contains(HasSubstr("of 0 of 4 rails")));
  using Words = std::vector<std::string>;
  for (const auto& [words, bandwidth] : std::vector<std::pair<Words, bool>>{{{}, true},
                                                                            {{"--mode", "bandwidth"}, true},
                                                                            {{"--latency"}, false},
                                                                            {{"--mode", "latency"}, false},
                                                                            {{"--mode=rate"}, false}}) {
    policy.fabric = BurninPlan{};
    policy.fabric->stages = {{.name = "rails", .command = {"rdma", "write", "--connect", "{peer}"}}};
    auto& command = policy.fabric->stages[0].command;
    command.insert(command.end(), words.begin(), words.end());
    EXPECT_EQ(figures_never_judged(report, policy, wanted).empty(), bandwidth)
        << testing::PrintToString(words);
  }
}

// What a node shows alone says nothing of the way to another.
TEST(Figures, OfAFabricStageAreOfRailsThatMetAnother) {
  Policy policy = asking();
  policy.fabric = BurninPlan{};
  policy.fabric->stages = {
      {.name = "rails", .command = {"rdma", "write", "--connect", "{peer}", "--mode", "latency"}}};
  Wanted wanted = test::wanted();
  wanted.plan = policy.fabric, wanted.kind = RunKind::fabric;
  Report report = earned();
  EXPECT_THAT(figures_never_judged(report, policy, wanted),
              Contains(HasSubstr("the bandwidth to another node of 0 of 4 rails")));
  for (auto& rail : report.figures.rails)
    rail.peer = "gpu-b";
  EXPECT_THAT(figures_never_judged(report, policy, wanted), IsEmpty());
}

TEST(Figures, ALatencyThatIsAskedForIsMeasured) {
  Policy policy = asking();
  policy.rdma->latency_us = 3;
  Wanted wanted = test::wanted();
  wanted.plan = policy.burnin;
  Report report = earned();
  EXPECT_THAT(figures_never_judged(report, policy, wanted),
              Contains(HasSubstr("rdma: the latency of 0 of 4")));
  for (int rail = 0; rail < 4; ++rail) {
    report.figures.rails.push_back(report.figures.rails[static_cast<std::size_t>(rail)]);
    report.figures.rails.back().p50_us = 2.5;
  }
  EXPECT_THAT(figures_never_judged(report, policy, wanted), IsEmpty());
}

// A policy of four rails whose stage measures one of them.
TEST(Figures, AStageOfSomeRailsLeavesOutTheOthers) {
  Policy policy = asking();
  policy.burnin->stages.back().command.insert(policy.burnin->stages.back().command.end(), {"--rails", "0"});
  Wanted wanted = test::wanted();
  wanted.plan = policy.burnin;
  Report report = earned();
  report.figures.rails.resize(1);
  EXPECT_THAT(figures_never_judged(report, policy, wanted),
              Contains(HasSubstr("of 1 of 4 rails was judged")));
}

TEST(Figures, OfAllRailsAtOnceAreJudgedWhereThePolicyAsks) {
  Policy policy = asking();
  policy.rdma->share_of_solo = 0.95;
  Wanted wanted = test::wanted();
  wanted.plan = policy.burnin;
  Report report = earned();
  EXPECT_THAT(figures_never_judged(report, policy, wanted), Contains(HasSubstr("all rails at once")));
  RailSum sum;
  sum.node = "gpu-7", sum.operation = "write", sum.bytes = 1 << 20, sum.rails = 4;
  sum.solo_gbit_s = 780, sum.together_gbit_s = 776, sum.status = Status::pass;
  report.figures.rail_sums = {sum};
  EXPECT_THAT(figures_never_judged(report, policy, wanted), IsEmpty());
  EXPECT_THAT(judge_figures(report, policy, wanted).undecided, IsEmpty());
  report.figures.rail_sums[0].together_gbit_s = 390;
  EXPECT_THAT(judge_figures(report, policy, wanted).undecided,
              Contains(HasSubstr("at 50.0 % of what they carry one by one")));
  report.figures.rail_sums[0].together_gbit_s.reset();
  EXPECT_THAT(judge_figures(report, policy, wanted).undecided, Contains(HasSubstr("were not measured")));
  report.figures.rail_sums[0].status = Status::fail;
  EXPECT_THAT(judge_figures(report, policy, wanted).failed, Contains(HasSubstr("all rails at once")));
  report.figures.rail_sums[0].status = Status::unknown;
  EXPECT_THAT(figures_never_judged(report, policy, wanted), Contains(HasSubstr("all rails at once")));
}

// Seven of eight GPUs have fallen off, and nobody counts them.
TEST(Figures, OneGpuThatIsLeftIsNoPair) {
  Policy policy = asking();
  policy.node->gpus.reset();
  Wanted wanted = test::wanted();
  wanted.plan = policy.burnin;
  Report report = earned();
  std::erase_if(report.figures.gpu_results, [](const GpuResult& one) { return one.gpu == 1; });
  std::erase_if(report.findings, [](const Finding& f) { return f.check == "burnin.nvlink-data"; });
  report.figures.matrices.clear();
  EXPECT_THAT(figures_never_judged(report, policy, wanted),
              Contains(HasSubstr("no pair of GPUs was measured")));
  policy.node->gpus = 1;
  EXPECT_THAT(figures_never_judged(report, policy, wanted), IsEmpty());
}

// A stage that is called like a test is none.
TEST(Figures, WhatAStageSaysOfItselfIsNoTest) {
  Report report = earned();
  std::erase_if(report.findings, [](const Finding& f) { return f.check == "burnin.launch-graph"; });
  report.findings.push_back({.check = "burnin.launch", .subject = "stage", .status = Status::pass});
  EXPECT_THAT(decided(report).because, Contains(HasSubstr("gpu.launch: no stage ran that test")));
}

TEST(Figures, OfARailWithWrongDataOrAFailureFail) {
  for (const bool wrong : {true, false}) {
    Report report = earned();
    wrong ? void(report.figures.rails[1].wrong = 500) : void(report.figures.rails[1].status = Status::fail);
    EXPECT_EQ(decided(report).decision, Decision::fail);
    report.figures.rails[1].peer = "gpu-b";
    EXPECT_EQ(decided(report).decision, Decision::fail) << "of a burn-in with a peer";
    Wanted wanted = test::wanted();
    wanted.plan = asking().burnin, wanted.kind = RunKind::fabric;
    EXPECT_THAT(judge_figures(report, asking(), wanted).failed, IsEmpty())
        << "it may be the other one's fault";
  }
}

}  // namespace
}  // namespace mlc
