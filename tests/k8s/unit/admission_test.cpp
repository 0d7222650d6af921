#include "k8s/admission/admission.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reports/record/moment.hpp"

namespace mlc {
namespace {

using testing::HasSubstr;

constexpr std::time_t began = 1'700'000'000;

NodeView node(const std::string& status = "") {
  NodeView view;
  view.name = "gpu-7", view.uid = "u", view.boot_id = "boot-1";
  if (!status.empty()) view.conditions["MLClusterReady"] = {"MLClusterReady", status, "", "", "", 0};
  return view;
}

Report report(Decision decision) {
  Report report;
  report.run.id = "run-1", report.run.started = rfc3339(began), report.run.duration_s = 600,
  report.run.policy = "p";
  report.environment.nodes.emplace_back();
  report.environment.nodes.back().name = "gpu-7", report.environment.nodes.back().boot_id = "boot-1";
  report.verdict.decision = decision;
  return report;
}

Admission burnt_in(const Report& of, std::time_t now = began + 700, const AdmitPolicy& policy = {}) {
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
  AdmitPolicy policy;
  policy.valid_for_s = 100;
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
  const AdmitPolicy policy;
  const auto health = [&](Decision decision, const std::string& before) {
    return admission_of(report(decision), policy, node(before), RunKind::health, began + 700);
  };
  EXPECT_FALSE(health(Decision::pass, "").changes);
  EXPECT_FALSE(health(Decision::pass, "False").changes);
  EXPECT_FALSE(health(Decision::inconclusive, "True").changes);
  EXPECT_TRUE(health(Decision::pass, "True").open);
  EXPECT_FALSE(health(Decision::pass, "True").labels.contains(tier_label)) << "it measures no tier";
  EXPECT_EQ(health(Decision::fail, "True").condition.status, "False");
}

TEST(Admission, TheFirstTierThatHoldsCounts) {
  AdmitPolicy policy;
  policy.tiers = {{"full", "allreduce", 1 << 30, 400}, {"half", "allreduce", 1 << 30, 200}};
  Report measured = report(Decision::pass);
  Series series;
  series.collective = "allreduce", series.bytes = 1 << 30, series.busbw_gb_s = 300, series.wrong = 0;
  measured.series = {series};
  EXPECT_EQ(burnt_in(measured, began + 700, policy).labels.at(tier_label), "half");
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
  EXPECT_EQ(expiry_of(policy, open, began).condition.reason, "Expired");
  open.annotations[boot_annotation] = "boot-0";
  EXPECT_EQ(expiry_of(policy, open, began - 1).condition.reason, "Rebooted");
  open.annotations = {{boot_annotation, "boot-1"}};
  EXPECT_EQ(expiry_of(policy, open, began - 1).condition.reason, "NoExpiry");
  EXPECT_FALSE(expiry_of(policy, node("False"), began).changes);
  EXPECT_EQ(beginning_of("r", policy, open).condition.status, "Unknown");
}

}  // namespace
}  // namespace mlc
