#include "validators/deciding/evidence.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/burnt_in.hpp"

namespace mlc {
namespace {

using testing::Contains;
using testing::HasSubstr;

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
      {"ran 'allreduce --backend nccl --sizes 8G --placement out -d int8'",
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
      {"launch 2 of 2: the report has no series of 8 GiB",
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
  const auto because = [](Words command, const Series& series) {
    if (std::ranges::none_of(command, [](const auto& word) { return word.starts_with("--placement"); }))
      command.insert(command.end(), {"--placement", "out"});
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
           {{"allreduce", "-o", "sum"}, with([](Series& s) { s.redop.clear(); })},
           {{"allreduce", "-o", "sum,max"}, with([](Series&) {})},
           {{"allreduce", "-d", "float,int8"}, with([](Series&) {})},
           {{"allreduce", "--placement", "in"}, with([](Series& s) { s.placement = "out_of_place"; })},
           {{"allreduce", "--placement=both"}, with([](Series&) {})},
           {{"allreduce", "-d", "all"}, with([](Series&) {})},
           {{"allreduce", "-o", "all"}, with([](Series&) {})},
           {{"broadcast", "--root", "1"}, with([](Series& s) { s.collective = "broadcast", s.root = 0; })},
           {{"allreduce", "--ranks", "16"}, with([](Series&) {})},
           {{"ragged"}, with([](Series&) {})},
           {{"allreduce", "-b", "4G", "-e", "8G", "-f", "2"}, with([](Series&) {})},
           {{"allreduce", "-b", "4G", "-e", "8G", "-f", "1.5"}, with([](Series&) {})},
           {{"allreduce", "-b", "8G", "-e", "8G"}, smaller}})
    EXPECT_THAT(because(command, series), Contains(HasSubstr("the report")))
        << testing::PrintToString(command);
  for (const auto& [command, series] : std::vector<std::pair<Words, Series>>{
           {{"allreduce", "--backend=mpi"}, other_backend},
           {{"allreduce", "-dint8"}, other_dtype},
           {{"allreduce", "-b4K", "-e5K"}, smaller},
           {{"allreduce", "-o", "sum"}, with([](Series&) {})},
           {{"allreduce", "--sizes=4K"}, smaller},
           {{"allreduce", "--sizes=4K,4100"}, smaller},  // rounded to the same
           {{"allreduce", "--sizes=4K,64"}, smaller},    // to nothing
           {{"allreduce", "--ranks", "8"}, with([](Series&) {})},
           {{"alltoall", "--placement=both"}, with([](Series& s) { s.collective = "alltoall"; })},
           {{"broadcast", "--placement=both", "-r1"}, with([](Series& s) {
              s.collective = "broadcast", s.backend = "mpi", s.placement = "in_place", s.root = 1;
            })}})
    EXPECT_THAT(because(command, series), testing::Not(Contains(HasSubstr("the report"))))
        << testing::PrintToString(command) << testing::PrintToString(because(command, series));
}

// A stage that names checks and rooms is whole with a finding of each.
TEST(Evidence, AStageThatNamesChecksHasAFindingOfEach) {
  Policy policy = test::admitting_policy();
  auto plan = *policy.burnin;
  plan.stages = {plan.stages[0]};
  plan.stages[0].command = {"validate", "--quiet", "rdma", "host.limits", "--peer", "{peer}"};
  policy.burnin = plan;
  Report report = test::earned_report();
  report.stages = {
      {"validate", {"validate", "--quiet", "rdma", "host.limits", "--peer", "gpu-b"}, 1, Status::pass, ""}};
  auto wanted = test::wanted();
  wanted.plan = plan, wanted.kind = RunKind::passive, report.run.plan = "passive";
  wanted.checks = {{"host.limits", {}}, {"host.disks", {}}, {"rdma.mtu", {}}, {"rdma.flaps", {}}};
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
           {"gpu: {ecc: true}\n", "no GPU was measured"},
           {"rdma: {share_of_siblings: 0.9}\nnode: {host: {disks: 4}}\n", "no rail was measured"},
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

// Stages may name checks, and leave out the one that the policy's demand is for.
TEST(Evidence, WhatTheNodeSectionAsksIsJudgedByTheCheckThatReadsIt) {
  const Policy policy = read_policy(
      "policy: p\nnode:\n  host: {nofile: 1, disks: 4, skip: [vf]}\n  lock: /etc/lock\n"
      "burnin:\n  stages:\n    - {stage: limits, command: [validate, host.limits]}\n"
      "    - {stage: drift, command: [validate, image.drift], required: false}\n",
      "t");
  Report report = test::earned_report();
  report.run.policy_digest = policy.digest, report.series.clear(), report.findings.resize(1);
  report.findings[0].stage = "limits";
  report.findings.push_back({.check = "image.drift", .status = Status::pass, .stage = "drift", .launch = 1});
  report.stages = {{"limits", {"validate", "host.limits"}, 1, Status::pass, ""},
                   {"drift", {"validate", "image.drift"}, 1, Status::pass, ""}};
  auto wanted = test::wanted();
  wanted.plan = policy.burnin;
  wanted.checks = {{"host.limits", {"host.memlock", "host.nofile"}},
                   {"host.disks", {"host.disks", "host.disk_size"}},
                   {"host.mounts", {"host.mounts"}},
                   {"image.drift", {"lock"}}};
  const auto because = decide(report, policy, wanted).because;
  EXPECT_THAT(because, testing::ElementsAre("no stage ran host.disks, which judges what the policy asks: "
                                            "node.host.disks"));
  wanted.kind = RunKind::passive, report.run.plan = "passive";  // a look is no burn-in
  EXPECT_EQ(decide(report, policy, wanted).decision, Decision::pass);
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
  for (const char* node : {"", "node: {skip: [vf], deadline: 9 s, pod: {skip: [gpu]}}\n"}) {
    const Policy policy = read_policy("policy: idle\nunknown_blocks: false\n" + std::string(node) +
                                          "burnin: {stages: [{stage: validate, command: [validate]}]}\n",
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
}

// Every threshold is answered by some stage, or the policy and its plan do not fit. What is asked between two
// nodes is the fabric stage's to answer, where there is one.
TEST(Evidence, AThresholdThatNoStageMeasuresIsNoPass) {
  Policy policy = test::admitting_policy();
  policy.thresholds.push_back(policy.thresholds.front());
  policy.thresholds.back().collective = "allgather";
  const auto because = [&](const Report& report) { return decide(report, policy, test::wanted()).because; };
  EXPECT_THAT(because(test::earned_report()),
              testing::ElementsAre(HasSubstr("not measured: allgather 8 GiB over nccl, 460 GB/s")));
  policy.thresholds.back() = policy.thresholds.front();
  policy.thresholds.back().sizes = {8ull << 30, 4ull << 30};
  EXPECT_THAT(because(test::earned_report()),
              testing::ElementsAre(HasSubstr("not measured: allreduce 4 GiB")));
  policy.thresholds.back() = policy.thresholds.front();
  policy.thresholds.back().nodes = 2;
  EXPECT_THAT(because(test::earned_report()),
              testing::ElementsAre(HasSubstr("8 GiB over nccl, 2 nodes, which a `fabric` section")));
  policy.fabric.emplace();
  EXPECT_THAT(because(test::earned_report()), testing::IsEmpty());
  policy.fabric.reset();
  policy.thresholds.back().nodes = 32;  // no pair of nodes can answer that
  EXPECT_THAT(because(test::earned_report()), testing::IsEmpty());
}

// One stage measures what is judged, and another something else of the same collective: no stage has to
// measure all.
TEST(Evidence, StagesNeedNotEachMeasureAllThresholds) {
  Policy policy = test::admitting_policy();
  auto more = policy.burnin->stages[1];
  more.name = "small",
  more.command = {"allreduce", "--backend", "mpi", "--sizes", "4K", "--placement", "out"};
  more.launches = 1;
  policy.burnin->stages.push_back(more);
  Report report = test::earned_report();
  Series small = test::allreduce();
  small.stage = "small", small.backend = "mpi", small.of_launches = 1, small.threshold.reset();
  small.observation.reset();
  small.bytes = small.requested_bytes = 4096, small.algbw_gb_s = 4096 / small.time_us.p50 / 1e3,
  small.busbw_gb_s = small.algbw_gb_s * 1.75;
  report.series.push_back(small);
  report.stages.push_back({"small", more.command, 1, Status::pass, "pass in 1 s"});
  auto wanted = test::wanted();
  wanted.plan = policy.burnin;
  EXPECT_THAT(decide(report, policy, wanted).because, testing::IsEmpty());
  // A look at what is judged, with lighter sizes.
  report.series = {small}, report.run.plan = "health";
  wanted.kind = RunKind::health, wanted.plan->stages = {policy.burnin->stages[0], more};
  EXPECT_THAT(decide(report, policy, wanted).because, testing::IsEmpty());
}

TEST(Evidence, WhatAnOptionalStageCouldNotTellKeepsNobodyOut) {
  Policy policy = test::admitting_policy();
  policy.unknown_blocks = true;
  Report report = test::earned_report();
  Series unsure = test::allreduce();
  unsure.stage = "far", unsure.threshold->status = Status::unknown;
  report.series.push_back(unsure);
  report.findings.push_back({.check = "rdma.write", .status = Status::unknown, .stage = "far", .launch = 1});
  report.findings.push_back({.check = "burnin.far", .subject = "stage", .status = Status::unknown});
  report.stages.push_back(
      {"far", {"rdma", "write", "--connect", "gpu-b:9"}, 1, Status::unknown, "over its limit"});
  EXPECT_THAT(decide(report, policy, test::wanted()).because, testing::IsEmpty());
  report.series.back().wrong.reset();
  EXPECT_EQ(decide(report, policy, test::wanted()).decision, Decision::inconclusive) << "nobody verified it";
  report.series.back().wrong = 0, report.findings.back().status = Status::fail;
  EXPECT_EQ(decide(report, policy, test::wanted()).decision, Decision::fail) << "a fault is a fault";
}

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
    const auto has = [&](const std::vector<std::string>& command) {
      return std::ranges::find(policy.fabric->stages, command, &BurninStage::command) !=
             policy.fabric->stages.end();
    };
    EXPECT_TRUE(has({"rdma", "write", "--connect", "{peer}"})) << "over all rails, to another node";
    EXPECT_TRUE(has({"fleet", "--engine", "verbs"})) << "and what lies between nodes is told from them";
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
  wanted.checks = {{"pci.inventory", {"rails.count"}},
                   {"gpu.count", {"gpus.count"}},
                   {"host.limits", {}},
                   {"vf.count", {}}};
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
        found(check.name, check.name == "vf.count" ? Status::skip : Status::pass);  // as in a Pod
    else if (command == "gpu")
      for (const char* check : {"burnin.hbm-copy", "burnin.memory", "burnin.gemm-bf16", "burnin.pcie-to-host",
                                "burnin.nvlink-data"})
        found(check);
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
  for (int gpu = 0; gpu < *policy.node->gpus; ++gpu)
    for (const auto& [test, metric] : std::vector<std::pair<const char*, const char*>>{{"hbm", "read"},
                                                                                       {"hbm", "write"},
                                                                                       {"hbm", "copy"},
                                                                                       {"hbm", "triad"},
                                                                                       {"gemm", "bf16"},
                                                                                       {"gemm", "fp8"},
                                                                                       {"pcie", "to-device"},
                                                                                       {"pcie", "to-host"}})
      report.figures.gpu_results.push_back({.gpu = gpu,
                                            .test = test,
                                            .metric = metric,
                                            .value = 2000,
                                            .samples = 20,
                                            .share_of_limit = 0.95,
                                            .status = Status::pass});
  report.figures.matrices = {
      {.kind = "gpu_pair", .title = "GPU to GPU, copy-engine", .by = copy_engine_pairs, .values = {400.}}};
  for (int rail = 0; rail < *policy.node->rails; ++rail)
    report.figures.rails.push_back({.rail = rail,
                                    .operation = "write",
                                    .bytes = 1 << 20,
                                    .gbit_s = 194.5,
                                    .status = Status::pass,
                                    .wrong = 0});
  EXPECT_THAT(decide(report, policy, wanted).because, testing::IsEmpty());
  for (const bool gpus : {true, false}) {  // a GPU, a rail that nobody measured
    Report less = report;
    gpus ? void(std::erase_if(less.figures.gpu_results, [](const GpuResult& one) { return one.gpu == 7; }))
         : less.figures.rails.pop_back();
    EXPECT_THAT(decide(less, policy, wanted).because,
                Contains(HasSubstr(gpus ? "figures of 7 of 8 GPUs" : "figures of 3 of 4 rails")));
  }
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
  report.figures.rails = {{.rail = 0, .peer = "gpu-b", .operation = "write"}};
  EXPECT_EQ(decide(report, policy, wanted).decision, Decision::pass);
  report.stages.back().command[3] = "gpu-b:10";
  EXPECT_EQ(decide(report, policy, wanted).decision, Decision::inconclusive);
}

}  // namespace
}  // namespace mlc
