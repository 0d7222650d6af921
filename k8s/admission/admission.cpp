#include "k8s/admission/admission.hpp"

#include <algorithm>
#include <stdexcept>

#include "reports/record/moment.hpp"
#include "reports/record/reasons.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

// The API limits neither, but kubectl shows both, and an object has its share of etcd.
constexpr std::size_t longest_message = 1024, longest_reason = 100;

// "rdma.port-state" -> "RdmaPortState": machine-readable, as conditions have it.
std::string camel_case(std::string_view text) {
  std::string word;
  bool up = true;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'), digit = c >= '0' && c <= '9';
    if (!letter && !digit) {
      up = true;
      continue;
    }
    word += up && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    up = false;
  }
  return word.substr(0, longest_reason);
}

// What is at fault, the first of the worst.
std::string reason_of(const Report& report) {
  if (report.verdict.decision == Decision::pass) return "Admitted";
  if (report.verdict.decision == Decision::inconclusive)
    return report.errors.empty() ? "Inconclusive" : "CouldNotTest";
  for (const auto& series : report.series)
    if (series.wrong.value_or(0) > 0) return camel_case(series.collective) + "WrongData";
  for (const auto& finding : report.findings)
    if (finding.status == Status::fail && !finding.check.starts_with("burnin."))
      return camel_case(finding.check);
  for (const auto& series : report.series)
    if (series.threshold && series.threshold->status == Status::fail)
      return camel_case(series.collective) + "BelowThreshold";
  return "Refused";
}

std::time_t end_of(const Report& report) {
  const auto started = parse_rfc3339(report.run.started);
  if (!started) throw std::runtime_error("the report does not say when its run began");
  return *started + static_cast<std::time_t>(report.run.duration_s);
}

std::string boot_of(const Report& report, const NodeView& node) {
  for (const auto& one : report.environment.nodes)
    if (one.name == node.name && !one.boot_id.empty()) return one.boot_id;
  return node.boot_id;
}

std::string status_of(const NodeView& node, const std::string& type) {
  const auto condition = node.conditions.find(type);
  return condition == node.conditions.end() ? "" : condition->second.status;
}

std::string tier_of(const Report& report, const AdmitPolicy& policy) {
  for (const auto& tier : policy.tiers) {
    bool measured = false, reached = true;  // by every launch of every stage that measured it
    for (const auto& series : report.series) {
      if (series.collective != tier.collective || series.bytes != tier.bytes ||
          series.placement != "out_of_place")
        continue;
      measured = true;
      reached = reached && series.wrong == 0 && series.busbw_gb_s >= tier.busbw_gb_s;
    }
    if (measured && reached) return tier.name;
  }
  return {};
}

std::string counts_of(const Report& report) {
  std::string text = std::to_string(report.findings.size()) + " findings";
  if (!report.series.empty()) text += ", " + std::to_string(report.series.size()) + " series";
  return text;
}

Admission left_alone(std::string why) {
  Admission admission;
  admission.changes = false, admission.why = std::move(why);
  return admission;
}

}  // namespace

void require_report_of(const Report& report, const NodeView& node) {
  std::string names;
  for (const auto& one : report.environment.nodes) {
    names += (names.empty() ? "" : ", ") + printable(one.name, 80);
    if (one.name != node.name) continue;
    if (!one.boot_id.empty() && !node.boot_id.empty() && one.boot_id != node.boot_id)
      throw std::runtime_error("the report is of an earlier boot of " + node.name + " (" +
                               printable(one.boot_id, 40) + "; now " + printable(node.boot_id, 40) +
                               "): what it measured may no longer be so");
    return;
  }
  throw std::runtime_error("the report is of " + (names.empty() ? "no node" : names) + ", not of " +
                           node.name);
}

Wanted wanted_of(const Policy& policy, const NodeView& node, RunKind kind, std::time_t now) {
  const auto& plan = kind == RunKind::burnin ? policy.burnin : policy.health;
  return {.plan = plan ? &*plan : nullptr,
          .health = kind == RunKind::health,
          .node = NodeIdentity{node.name, node.boot_id, node.machine_id},
          .now = node.seen_at.value_or(now),
          .clock_skew_s = policy.admit.clock_skew_s};
}

Admission admission_of(const Report& report, const AdmitPolicy& policy, const NodeView& node, RunKind kind,
                       std::time_t now) {
  const std::time_t ended = end_of(report), expires = ended + static_cast<std::time_t>(policy.valid_for_s);
  const Decision decision = report.verdict.decision;
  const std::string before = status_of(node, policy.condition);
  if (kind == RunKind::health) {
    if (decision == Decision::inconclusive)
      return left_alone("a health run that is inconclusive takes nothing away");
    if (decision == Decision::pass && before != "True")
      return left_alone("a health run renews what a burn-in gave, and " + policy.condition + " is " +
                        (before.empty() ? "not set" : before) + " here");
  }
  Admission admission;
  NodeCondition& condition = admission.condition;
  condition.type = policy.condition;
  condition.reason = reason_of(report);
  const bool over = decision == Decision::pass && expires <= now;
  condition.status = decision == Decision::fail            ? "False"
                     : decision == Decision::pass && !over ? "True"
                                                           : "Unknown";
  std::string said;
  if (over) {
    condition.reason = "Expired";
    said = "the run ended " + rfc3339(ended) + " and was good until " + rfc3339(expires);
  } else if (decision == Decision::pass) {
    said = counts_of(report) + ", policy " + report.run.policy;
  } else {
    const auto all = reasons(report);
    for (std::size_t i = 0; i < std::min<std::size_t>(all.size(), 3); ++i) {
      said += (said.empty() ? "" : "; ") + bounded(all[i].text, 240);
      if (!all[i].remedy.empty()) said += " (next: " + bounded(all[i].remedy, 160) + ")";
    }
    if (all.size() > 3) said += "; and " + std::to_string(all.size() - 3) + " more";
  }
  const std::string boot = boot_of(report, node);
  // What identifies the run must not be cut away by what the node has to say.
  const std::string tail = "; run " + bounded(report.run.id, 120) + "; boot " +
                           (boot.empty() ? "unknown" : bounded(boot, 64)) +
                           (condition.status == "True" ? "; until " + rfc3339(expires) : "");
  condition.message = bounded(said, longest_message - tail.size()) + tail;

  admission.open = condition.status == "True";
  admission.quarantine = decision == Decision::fail;
  const std::string tier = decision == Decision::pass ? tier_of(report, policy) : "";
  admission.labels[admission_label] = admission.open               ? "admitted"
                                      : decision == Decision::fail ? "refused"
                                                                   : "pending";
  // A light run measures no tier, and must not take one away.
  if (kind == RunKind::burnin || decision == Decision::fail)
    admission.labels[tier_label] = tier.empty() ? std::nullopt : std::optional(tier);
  admission.annotations[run_annotation] = bounded(report.run.id, 253);
  admission.annotations[boot_annotation] = bounded(boot, 64);
  admission.annotations[expires_annotation] =
      condition.status == "True" ? std::optional(rfc3339(expires)) : std::nullopt;
  admission.event = {.warning = condition.status != "True",
                     .reason = condition.reason,
                     .note = policy.condition + " " + condition.status + ": " + condition.message,
                     .instance = node.name,
                     .key = report.run.id + condition.status + condition.reason};
  return admission;
}

Admission beginning_of(const std::string& run_id, const AdmitPolicy& policy, const NodeView& node) {
  Admission admission;
  admission.condition = {
      .type = policy.condition,
      .status = "Unknown",
      .reason = "BurnInRunning",
      .message = bounded("run " + run_id + " has begun; boot " + node.boot_id, longest_message),
      .last_transition = {}};
  admission.annotations[run_annotation] = bounded(run_id, 253);
  admission.annotations[boot_annotation] = bounded(node.boot_id, 64);
  admission.annotations[expires_annotation] = std::nullopt;
  admission.labels[admission_label] = "pending";
  return admission;
}

Admission expiry_of(const AdmitPolicy& policy, const NodeView& node, std::time_t now) {
  if (status_of(node, policy.condition) != "True") return left_alone(policy.condition + " is not True");
  const auto annotation = [&](const char* key) {
    const auto found = node.annotations.find(key);
    return found == node.annotations.end() ? std::string() : found->second;
  };
  const std::string boot = annotation(boot_annotation), until = annotation(expires_annotation);
  const auto expires = parse_rfc3339(until);
  Admission admission;
  admission.condition = {
      .type = policy.condition, .status = "Unknown", .reason = {}, .message = {}, .last_transition = {}};
  if (!boot.empty() && !node.boot_id.empty() && boot != node.boot_id) {
    admission.condition.reason = "Rebooted";
    admission.condition.message =
        "validated in boot " + bounded(boot, 64) + ", now boot " + bounded(node.boot_id, 64);
  } else if (!expires) {
    admission.condition.reason = "NoExpiry";
    admission.condition.message = std::string("True without a readable annotation ") + expires_annotation;
  } else if (*expires <= now) {
    admission.condition.reason = "Expired";
    admission.condition.message = "was good until " + until + "; no run has renewed it";
  } else {
    return left_alone("good until " + until);
  }
  admission.labels[admission_label] = "pending";
  admission.annotations[expires_annotation] = std::nullopt;
  admission.event = {.warning = true,
                     .reason = admission.condition.reason,
                     .note = policy.condition + " Unknown: " + admission.condition.message,
                     .instance = node.name,
                     .key = admission.condition.reason + boot + until + node.boot_id};
  return admission;
}

}  // namespace mlc
