#include "k8s/admission/admission.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "k8s/admission/standing.hpp"
#include "reports/record/moment.hpp"
#include "tests/k8s/unit/admission_cases.hpp"

namespace mlc {
namespace {

using testing::HasSubstr;

Admission burnt_in(const Report& of, std::time_t now = began + 700, const Policy& policy = {}) {
  return admission_of(of, policy, node(), RunKind::burnin, now);
}

TEST(Admission, OpensOnAPassForAsLongAsThePolicySays) {
  const auto admission = burnt_in(report(Decision::pass));
  EXPECT_TRUE(admission.open && !admission.quarantine);
  EXPECT_EQ(admission.condition.status, "True");
  EXPECT_EQ(admission.labels.at(admission_label), "admitted");
  EXPECT_EQ(admission.annotations.at(expires_annotation), rfc3339(began + 600 + 7 * 86400));
  EXPECT_THAT(admission.condition.message, HasSubstr("run run-1; boot boot-1; until"));
}

TEST(Admission, APassThatIsOverIsUnknown) {
  Policy policy;
  policy.admit.valid_for_s = 100;
  const auto admission = burnt_in(report(Decision::pass), began + 700, policy);
  EXPECT_FALSE(admission.open);
  EXPECT_EQ(admission.condition.status, "Unknown");
  EXPECT_EQ(admission.condition.reason, "Expired");
  EXPECT_EQ(admission.labels.at(admission_label), "pending");
  EXPECT_EQ(admission.annotations.at(expires_annotation), std::nullopt);
}

TEST(Admission, AFailureNamesTheWorstFirst) {
  Report failed = report(Decision::fail);
  failed.findings = {{.check = "burnin.rdma", .subject = "stage", .status = Status::fail},
                     {.check = "rdma.port-state", .subject = "rail 2", .status = Status::fail}};
  EXPECT_EQ(burnt_in(failed).condition.reason, "RdmaPortState") << "a stage is no cause";
  Series wrong;
  wrong.collective = "allreduce", wrong.wrong = 1;
  failed.series = {wrong};
  const auto admission = burnt_in(failed);
  EXPECT_EQ(admission.condition.reason, "AllreduceWrongData");
  EXPECT_EQ(admission.condition.status, "False");
  EXPECT_TRUE(admission.quarantine && !admission.open);
  EXPECT_EQ(admission.labels.at(admission_label), "refused");
  EXPECT_EQ(admission.labels.at(tier_label), std::nullopt) << "a refused node keeps no tier";
  EXPECT_TRUE(admission.event.warning);
}

TEST(Admission, WhatCouldNotBeTestedOpensNothing) {
  const auto admission = burnt_in(report(Decision::inconclusive));
  EXPECT_EQ(admission.condition.status, "Unknown");
  EXPECT_FALSE(admission.open || admission.quarantine);
}

TEST(Admission, AMessageKeepsItsRunHoweverMuchThereIsToSay) {
  Report failed = report(Decision::fail);
  for (int i = 0; i < 50; ++i)
    failed.verdict.because.push_back(std::string(600, 'x'));
  const auto& message = burnt_in(failed).condition.message;
  EXPECT_LE(message.size(), 1024u);
  EXPECT_THAT(message, HasSubstr("; run run-1; boot boot-1"));
}

TEST(Admission, AHealthRunRenewsAndTakesButNeverGives) {
  const Policy policy;
  const auto health = [&](Decision decision, const std::string& before) {
    return admission_of(report(decision), policy, node(before), RunKind::health, began + 700);
  };
  EXPECT_FALSE(health(Decision::pass, "").changes);
  EXPECT_FALSE(health(Decision::pass, "False").changes);
  const auto undecided = health(Decision::inconclusive, "True");
  EXPECT_EQ(undecided.condition.status, "True");
  EXPECT_TRUE(undecided.labels.empty() && !undecided.annotations.contains(expires_annotation));
  EXPECT_TRUE(undecided.annotations.at(tried_annotation)) << "the next turn is another node's";
  EXPECT_FALSE(health(Decision::inconclusive, "False").changes);
  EXPECT_TRUE(health(Decision::pass, "True").open);
  EXPECT_FALSE(health(Decision::pass, "True").labels.contains(tier_label)) << "it measures no tier";
  EXPECT_EQ(health(Decision::fail, "True").condition.status, "False");
}

TEST(Admission, TheFirstTierThatHoldsCounts) {
  Policy policy;
  policy.admit.tiers = {{"full", "allreduce", 1 << 30, 400}, {"half", "allreduce", 1 << 30, 200}};
  policy.burnin = BurninPlan{.stages = {{.name = "all", .command = {"allreduce", "--backend", "nccl"}}}};
  Report measured = report(Decision::pass);
  Series series{.collective = "allreduce", .dtype = "float", .redop = "sum"};
  series.stage = "all", series.backend = "nccl";
  series.bytes = 1 << 30, series.busbw_gb_s = 300, series.wrong = 0;
  measured.series = {series};
  EXPECT_EQ(burnt_in(measured, began + 700, policy).labels.at(tier_label), "half");
  Series other = series;  // of nothing that the policy runs
  other.busbw_gb_s = 500;
  for (const auto& [backend, dtype, stage] :
       {std::tuple("loopback", "float", "all"), {"nccl", "int8", "all"}, {"nccl", "float", "ghost"}}) {
    other.backend = backend, other.dtype = dtype, other.stage = stage;
    measured.series = {other};
    EXPECT_EQ(burnt_in(measured, began + 700, policy).labels.at(tier_label), std::nullopt)
        << backend << dtype;
  }
  // A median that does not hold over all of the time.
  measured.series = {series};
  measured.series[0].observation.emplace().wall_busbw_gb_s = 100;
  EXPECT_EQ(burnt_in(measured, began + 700, policy).labels.at(tier_label), std::nullopt);
  measured.series = {series};
  measured.series[0].wrong = 1;
  EXPECT_EQ(burnt_in(measured, began + 700, policy).labels.at(tier_label), std::nullopt);
}

TEST(Reports, OfAnotherNodeOrBootAreRefused) {
  require_report_of(report(Decision::pass), node());
  NodeView other = node();
  other.name = "gpu-8";
  EXPECT_THROW(require_report_of(report(Decision::pass), other), std::runtime_error);
  NodeView rebooted = node();
  rebooted.boot_id = "boot-2";
  EXPECT_THROW(require_report_of(report(Decision::pass), rebooted), std::runtime_error);
  EXPECT_THROW(require_report_of({}, node()), std::runtime_error);
}

TEST(Expiry, OfTimeOfABootAndOfWhatNobodyCanRead) {
  const AdmitPolicy policy;
  NodeView open = node("True");
  open.annotations = {{boot_annotation, "boot-1"}, {expires_annotation, rfc3339(began)}};
  EXPECT_FALSE(expiry_of(policy, open, began - 1).changes);
  EXPECT_EQ(expiry_of(policy, open, began).condition.reason, "DueForALook");
  open.annotations[boot_annotation] = "boot-0";
  EXPECT_EQ(expiry_of(policy, open, began - 1).condition.reason, "Rebooted");
  open.annotations = {{boot_annotation, "boot-1"}};
  EXPECT_EQ(expiry_of(policy, open, began - 1).condition.reason, "DueForALook");
  EXPECT_FALSE(expiry_of(policy, node("False"), began).changes);
  EXPECT_EQ(beginning_of("r", policy, open, RunKind::burnin).condition.status, "Unknown");
}

Policy with_fabric() {
  Policy policy;
  policy.digest = "sha256:1";
  policy.burnin = BurninPlan{.stages = {{.name = "validate", .command = {"validate"}}}};
  policy.fabric = BurninPlan{.stages = {{.name = "pairs", .command = {"rdma", "write"}}}};
  return policy;
}

TEST(Fabric, LocalStagesHandOverAndOnlyTheFabricOpens) {
  const Policy policy = with_fabric();
  const auto handed =
      admission_of(report(Decision::pass), policy, node("Unknown"), RunKind::burnin, began + 700);
  EXPECT_FALSE(handed.open);
  EXPECT_TRUE(handed.all_it_can);
  EXPECT_EQ(handed.condition.status, "Unknown");
  EXPECT_EQ(handed.condition.reason, "FabricStagePending");
  EXPECT_EQ(handed.labels.at(admission_label), "fabric");
  EXPECT_EQ(handed.annotations.at(expires_annotation), std::nullopt);
  const auto fabric = [&](Decision decision, const NodeView& view) {
    return admission_of(report(decision), policy, view, RunKind::fabric, began + 700);
  };
  EXPECT_TRUE(fabric(Decision::pass, labelled("fabric")).open);
  for (const char* label : {"pending", "refused", ""})
    EXPECT_FALSE(fabric(Decision::pass, labelled(label)).changes) << label;
  EXPECT_EQ(fabric(Decision::fail, labelled("fabric")).labels.at(admission_label), "refused");
  EXPECT_TRUE(fabric(Decision::pass, labelled("admitted", "True")).open) << "a witness is renewed";
  EXPECT_FALSE(fabric(Decision::inconclusive, labelled("admitted", "True")).changes) << "a witness";
  EXPECT_FALSE(beginning_of("r", policy.admit, labelled("fabric"), RunKind::fabric).changes);
}

TEST(RunKinds, WhatAReportHasToShowFollowsFromThem) {
  const Policy policy = with_fabric();
  EXPECT_EQ(wanted_plan(policy, RunKind::burnin)->stages.size(), 1u);
  const auto both = wanted_plan(policy, RunKind::fabric);
  ASSERT_EQ(both->stages.size(), 2u) << "the local stages and the fabric's";
  EXPECT_EQ(both->stages[0].name, "validate");
  EXPECT_EQ(section_of(policy, RunKind::fabric)->stages.size(), 1u) << "but only these are run";
  EXPECT_FALSE(wanted_plan(policy, RunKind::passive) || wanted_plan(policy, RunKind::health));
  for (const RunKind kind : run_kinds)
    EXPECT_EQ(parse_run_kind(to_string(kind)), kind);
  EXPECT_FALSE(parse_run_kind("Burnin") || parse_run_kind(""));
  const std::string text =
      "policy: p\nburnin: {stages: [{stage: a, command: [validate]}]}\nfabric: {stages: [{stage: ";
  EXPECT_NO_THROW((void)read_policy(text + "b, command: [validate]}]}\n", "p"));
  EXPECT_THROW((void)read_policy(text + "a, command: [validate]}]}\n", "p"), PolicyError)
      << "their reports become one";
}

TEST(Fabric, WhatIsUndecidedWaitsForAnotherOneOnlyWhereTheLocalStagesStand) {
  const Policy policy = with_fabric();
  Report one = report(Decision::inconclusive);
  const auto label = [&] {
    return admission_of(one, policy, labelled("fabric"), RunKind::fabric, began + 700)
        .labels.at(admission_label);
  };
  EXPECT_EQ(label(), "pending") << "no local stage is in it";
  one.run.policy_digest = policy.digest;
  one.stages = {{.name = "validate", .status = Status::pass}};
  EXPECT_EQ(label(), "fabric");
  one.stages[0].status = Status::unknown;
  EXPECT_EQ(label(), "pending");
  one.stages[0].status = Status::pass, one.run.policy_digest = "sha256:2";
  EXPECT_EQ(label(), "pending") << "the policy has changed meanwhile";
}

// Takes what an admission says over to the node, as a publisher does.
NodeView after(const Admission& admission, NodeView view) {
  const auto take = [](const Edits& edits, auto& into) {
    for (const auto& [key, value] : edits) {
      into.erase(key);
      if (value) into[key] = *value;
    }
  };
  view.conditions[admission.condition.type] = admission.condition;
  if (admission.refused) view.conditions[admission.refused->type] = *admission.refused;
  take(admission.labels, view.labels), take(admission.annotations, view.annotations);
  return view;
}

TEST(Confirmation, AFailedLookIsADoubtUntilAnotherRunFailsToo) {
  const NodeView before = admitted(began, began + 8000);
  const auto first = looked(Decision::fail, before, "one");
  EXPECT_EQ(first.condition.status, "True");
  EXPECT_EQ(first.condition.reason, "Suspected");
  EXPECT_EQ(first.labels.at(due_label), "true");
  EXPECT_FALSE(first.quarantine);
  const NodeView doubted = after(first, before);
  EXPECT_EQ(looked(Decision::fail, doubted, "one").condition.status, "True")
      << "the same run, published again";
  const auto second = looked(Decision::fail, doubted, "two");
  EXPECT_EQ(second.condition.status, "False");
  EXPECT_TRUE(second.quarantine);
  // Whoever rebuilds machines would do so under a running job, and for what a neighbour may have done.
  ASSERT_TRUE(second.refused);
  EXPECT_EQ(second.refused->type, "MLClusterRefused");
  EXPECT_EQ(second.refused->status, "False") << "two looks beside somebody's work";
  Report under_load = report(Decision::fail);
  under_load.run.id = "three";
  const auto third = admission_of(under_load, {}, after(second, doubted), RunKind::burnin, began + 700);
  EXPECT_EQ(third.refused->status, "True");
  EXPECT_EQ(looked(Decision::pass, doubted, "two").annotations.at(suspected_annotation), std::nullopt);
}

TEST(Confirmation, AFailureUnderLoadIsFalseAtOnceAndRefusedAfterASecondOne) {
  const auto run = [](Decision decision, const NodeView& view, const std::string& id) {
    Report one = report(decision);
    one.run.id = id;
    return admission_of(one, {}, view, RunKind::burnin, began + 700);
  };
  const auto first = run(Decision::fail, node("Unknown"), "one");
  EXPECT_EQ(first.condition.status, "False");
  EXPECT_EQ(first.refused->status, "False");
  NodeView view = after(first, node("Unknown"));
  EXPECT_EQ(run(Decision::fail, view, "one").refused->status, "False") << "the same run, published again";
  view = after(run(Decision::inconclusive, view, "two"), view);
  EXPECT_EQ(status_of(view, "MLClusterRefused"), "False") << "what could not be tested confirms nothing";
  view = after(run(Decision::fail, view, "three"), view);
  EXPECT_EQ(status_of(view, "MLClusterRefused"), "True");
  view = after(run(Decision::fail, view, "one"), view);
  EXPECT_EQ(status_of(view, "MLClusterRefused"), "True") << "an earlier one that comes late";
  view = after(run(Decision::pass, view, "four"), view);
  EXPECT_EQ(status_of(view, "MLClusterRefused"), "False");
  EXPECT_FALSE(view.annotations.contains(suspected_annotation));
}

// A node that was mended must not be remade while it waits for others to meet.
TEST(Confirmation, IsTakenBackByARunOfTheKindThatFailed) {
  Policy policy;
  policy.fabric.emplace();
  const auto run = [&](Decision decision, const NodeView& view, const std::string& id, RunKind kind) {
    Report one = report(decision);
    one.run.id = id;
    return after(admission_of(one, policy, view, kind, began + 700), view);
  };
  const auto refused = [](const NodeView& view) { return status_of(view, "MLClusterRefused"); };
  NodeView view = run(Decision::fail, node("Unknown"), "one", RunKind::burnin);
  view = run(Decision::fail, view, "two", RunKind::burnin);
  EXPECT_EQ(refused(view), "True");
  NodeView mended = run(Decision::pass, view, "three", RunKind::burnin);
  EXPECT_EQ(refused(mended), "False");
  EXPECT_EQ(mended.labels.at(admission_label), "fabric");
  EXPECT_FALSE(mended.annotations.contains(suspected_by_annotation));
  // What others have found of it, it cannot take back alone.
  view = run(Decision::fail, mended, "four", RunKind::fabric);
  EXPECT_EQ(refused(view), "False");
  view = run(Decision::fail, view, "five", RunKind::burnin);
  EXPECT_EQ(refused(view), "True");
  view = run(Decision::pass, view, "six", RunKind::burnin);
  EXPECT_EQ(refused(view), "True");
  EXPECT_EQ(refused(run(Decision::fail, view, "seven", RunKind::fabric)), "True");
  view = run(Decision::pass, view, "eight", RunKind::fabric);
  EXPECT_EQ(refused(view), "False");
  EXPECT_EQ(status_of(view, "MLClusterReady"), "True");
  EXPECT_FALSE(view.annotations.contains(suspected_in_annotation));
}

// Of two runs that end in one order and are published in another, the later one stands.
TEST(Admission, AVerdictThatComesLateChangesNothing) {
  const auto run = [](Decision decision, const char* id, int ended_s) {
    Report one = report(decision);
    one.run.id = id, one.run.duration_s = ended_s;
    return one;
  };
  const auto told = [](const Report& one, const NodeView& view, RunKind kind = RunKind::burnin) {
    return admission_of(one, {}, view, kind, began + 2000);
  };
  const NodeView bad =
      after(told(run(Decision::fail, "newer", 900), admitted(began, began + 8000), RunKind::health),
            admitted(began, began + 8000));
  EXPECT_EQ(status_of(bad, "MLClusterReady"), "False");
  const auto late = told(run(Decision::pass, "older", 600), bad);
  EXPECT_FALSE(late.changes);
  EXPECT_NE(late.why.find("run newer found a failure after this run had ended"), std::string::npos);
  EXPECT_TRUE(told(run(Decision::pass, "newest", 1200), bad).open);
  const NodeView good = after(told(run(Decision::pass, "newer", 900), node("Unknown")), node("Unknown"));
  EXPECT_FALSE(told(run(Decision::fail, "older", 600), good, RunKind::health).changes);
  EXPECT_TRUE(told(run(Decision::fail, "newest", 1200), good, RunKind::health).changes);
}

TEST(Admission, SaysByWhichPolicyItOpened) {
  Policy policy;
  policy.digest = "sha256:abc";
  const auto opened =
      admission_of(report(Decision::pass), policy, node("Unknown"), RunKind::burnin, began + 700);
  EXPECT_EQ(opened.annotations.at(policy_annotation), "sha256:abc");
  const NodeView open = after(opened, node("Unknown"));
  policy.digest = "sha256:def";
  EXPECT_FALSE(admission_of(report(Decision::pass), policy, open, RunKind::health, began + 700)
                   .annotations.contains(policy_annotation))
      << "a light run measures less than what opens a node";
  policy.fabric.emplace();
  const auto handed =
      admission_of(report(Decision::pass), policy, node("Unknown"), RunKind::burnin, began + 700);
  EXPECT_TRUE(handed.annotations.at(tested_annotation)) << "since then it waits for others";
}

TEST(Confirmation, WaitsForTheRunThatFollowsAnOperatorsWord) {
  NodeView view = node("False");
  view.conditions["MLClusterRefused"] = {.type = "MLClusterRefused", .status = "True"};
  view.labels[admission_label] = "refused";
  view.annotations[suspected_by_annotation] = "one";
  // Tested again by the dispatcher, whose Pod is killed, and comes again, and is inconclusive: nobody has
  // said so.
  for (int times = 0; times < 2; ++times) {
    const auto again = beginning_of("three", {}, view, RunKind::burnin);
    EXPECT_FALSE(again.refused);
    view = after(again, view);
  }
  view = after(admission_of(report(Decision::inconclusive), {}, view, RunKind::burnin, began + 700), view);
  EXPECT_EQ(view.labels.at(admission_label), "refused");
  EXPECT_FALSE(beginning_of("four", {}, view, RunKind::burnin).refused);
  view.labels[admission_label] = "pending";
  const auto begun = beginning_of("three", {}, view, RunKind::burnin);
  ASSERT_TRUE(begun.refused);
  EXPECT_EQ(begun.refused->status, "False");
  view = after(begun, view);
  Report still = report(Decision::fail);
  still.run.id = "three";
  EXPECT_EQ(admission_of(still, {}, view, RunKind::burnin, began + 700).refused->status, "True")
      << "who found the first failure is still known";
}

TEST(Expiry, OfMetadataAloneTheLabelStandsForTheCondition) {
  NodeView view;
  view.name = "gpu-7", view.labels[admission_label] = "admitted";
  view.annotations = {{boot_annotation, "boot-1"}, {expires_annotation, rfc3339(began)}};
  EXPECT_FALSE(expiry_of({}, view, began - 1).changes);
  EXPECT_EQ(expiry_of({}, view, began).labels.at(due_label), "true");
  view.labels[due_label] = "true";
  EXPECT_FALSE(expiry_of({}, view, began).changes) << "said once";
  view.labels = {{admission_label, "pending"}};
  EXPECT_FALSE(expiry_of({}, view, began).changes);
}

TEST(Refused, IsNamedAfterTheCondition) {
  AdmitPolicy policy;
  EXPECT_EQ(refused_condition(policy), "MLClusterRefused");
  policy.condition = "example.com/BurntIn";
  EXPECT_EQ(refused_condition(policy), "example.com/BurntInRefused");
}

// A label by hand, while the local stages are of before the failure that somebody else's run has found.
TEST(Fabric, LocalStagesOfBeforeAFailureOpenNothing) {
  Policy policy;
  policy.fabric.emplace(), policy.burnin.emplace();
  NodeView shut = node("False");
  shut.labels[admission_label] = "fabric";
  const auto fabric = [&](std::time_t suspected, const char* in, std::time_t now = began + 700) {
    shut.annotations = {{suspected_annotation, rfc3339(suspected)},
                        {suspected_by_annotation, "another-run"},
                        {suspected_in_annotation, in}};
    return admission_of(report(Decision::pass), policy, shut, RunKind::fabric, now);
  };
  EXPECT_TRUE(fabric(began - 1, "health").open) << "they began after it";
  EXPECT_FALSE(fabric(began + 1, "health").changes);
  EXPECT_THAT(fabric(began + 1, "health").why, HasSubstr("another-run found a failure after this run"));
  EXPECT_TRUE(fabric(began + 1, "fabric").open) << "that is what this stage answers";
  EXPECT_FALSE(fabric(began + 700, "fabric").changes);
  const auto late = began + static_cast<std::time_t>(policy.admit.valid_for_s) + 1;
  EXPECT_FALSE(fabric(began - 1, "health", late).open);
}

}  // namespace
}  // namespace mlc
