#include "k8s/admission/admission.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "k8s/admission/standing.hpp"
#include "reports/record/moment.hpp"
#include "reports/record/reasons.hpp"
#include "reports/record/text.hpp"
#include "validators/deciding/stage_evidence.hpp"

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

// Written only where it is there: what never was confirmed needs no clearing.
std::optional<NodeCondition> cleared(const AdmitPolicy& policy, const NodeView& node) {
  const std::string type = refused_condition(policy), status = status_of(node, type);
  if (status.empty()) return std::nullopt;
  return NodeCondition{.type = type,
                       .status = "False",
                       .reason = "Passed",
                       .message = "a run of the kind that found the failure has passed",
                       .last_transition = {}};
}

Edits no_doubt() {
  return {{suspected_annotation, std::nullopt},
          {suspected_by_annotation, std::nullopt},
          {suspected_in_annotation, std::nullopt}};
}

// Of a stage that the policy has, as it has it run.
bool is_of_a_stage(const Series& series, const Policy& policy) {
  return std::ranges::any_of(std::array{&policy.burnin, &policy.fabric}, [&](const auto* plan) {
    return *plan && std::ranges::any_of((*plan)->stages,
                                        [&](const BurninStage& stage) { return is_of(series, stage); });
  });
}

// All bytes over all of the time, where that was kept; the median alone does not see stalls.
double held_busbw(const Series& series) {
  return series.observation && series.launches.empty()
             ? std::min(series.busbw_gb_s, series.observation->wall_busbw_gb_s)
             : series.busbw_gb_s;
}

std::string tier_of(const Report& report, const Policy& policy) {
  for (const auto& tier : policy.admit.tiers) {
    bool measured = false, reached = true;  // by every launch of every stage that measured it
    for (const auto& series : report.series) {
      if (series.collective != tier.collective || series.bytes != tier.bytes ||
          series.placement != "out_of_place" || !is_of_a_stage(series, policy))
        continue;
      measured = true;
      reached = reached && series.wrong == 0 && held_busbw(series) >= tier.busbw_gb_s;
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

// One report that comes to one node.
struct Case {
  const Report& report;
  const Policy& policy;
  const NodeView& node;
  RunKind kind;
  std::time_t now;

  std::time_t began() const { return parse_rfc3339(report.run.started).value_or(0); }
  // A node's clock may be ahead.
  std::time_t ended() const { return std::min(end_of(report), now); }
  std::time_t expires() const { return ended() + static_cast<std::time_t>(policy.admit.valid_for_s); }
  bool over() const { return expires() <= now; }
  bool is_true() const { return status_of(node, policy.admit.condition) == "True"; }
  std::string boot() const { return boot_of(report, node); }
  bool rebooted() const {
    const std::string known = annotation_of(node, boot_annotation);
    // Somebody took the annotation away: in which boot it was measured nobody knows, and a look measures
    // nothing.
    if (known.empty() && kind != RunKind::passive) return false;
    return is_true() && !node.boot_id.empty() && known != node.boot_id;
  }

  std::string no_business() const;
  bool local_stages_stand() const;
  bool local_stages_too_old() const;
  bool found_bad_since() const;
  bool passed_since() const;
  bool doubted_in_fabric() const;
  bool confirmed() const;
  std::string message(std::string said, const std::string& until) const;
  std::string faults() const;
  Admission passed() const;
  Admission extended() const;
  Admission failed() const;
  Admission undecided() const;
};

std::string name_of(RunKind kind) { return std::string(to_string(kind)) + " run"; }

// Why this run may not say anything of this node; empty where it may.
std::string Case::no_business() const {
  const std::string type = policy.admit.condition, status = status_of(node, type),
                    as_it_is = type + " is " + (status.empty() ? "not set" : status) + " here";
  switch (report.verdict.decision) {
    case Decision::inconclusive:
      // A witness of a fabric stage, or a node that is open: what could not be tested takes nothing away.
      if (kind == RunKind::health && is_true()) return {};
      if (!admits(kind) || (kind == RunKind::fabric && is_true()))
        return "a " + name_of(kind) + " that is inconclusive takes nothing away";
      return {};
    case Decision::fail:
      if (kind == RunKind::passive && !is_true()) return "a passive look judges open nodes, and " + as_it_is;
      if (passed_since())
        return "run " + bounded(annotation_of(node, run_annotation), 253) +
               " passed after this run had ended, and stands";
      return {};
    case Decision::pass:
      if (!admits(kind) && !is_true())
        return "a " + name_of(kind) + " renews what a burn-in gave, and " + as_it_is;
      if (kind == RunKind::fabric && !is_true() && label_of(node, admission_label) != "fabric")
        return "a fabric stage opens nodes that their local stages handed over (label " +
               std::string(admission_label) + "=fabric), and this one was not";
      if (local_stages_too_old())
        return "its local stages began " + rfc3339(began()) +
               ", too long ago to open a node; they are run anew: kubectl label node " + node.name +
               " --overwrite " + admission_label + "=pending";
      if (found_bad_since())
        return "run " + bounded(annotation_of(node, suspected_by_annotation), 253) +
               " found a failure after this run had ended; the node has to be tested anew: kubectl label "
               "node " +
               node.name + " --overwrite " + admission_label + "=pending";
      if (over() && is_true())
        return "the run ended " + rfc3339(ended()) + ", too long ago to renew anything";
      return {};
  }
  return {};
}

// The node's own stages are in the report, whole, and under this policy: only the fabric is open.
bool Case::local_stages_stand() const {
  if (kind != RunKind::fabric || !policy.burnin || report.run.policy_digest != policy.digest) return false;
  return std::ranges::all_of(policy.burnin->stages, [&](const BurninStage& stage) {
    return !stage.required || std::ranges::any_of(report.stages, [&](const StageRecord& record) {
      return record.name == stage.name && record.status == Status::pass;
    });
  });
}

// A run of fabric stages began when its local ones did: the node may have waited for partners since.
bool Case::local_stages_too_old() const {
  return kind == RunKind::fabric && !is_true() &&
         began() + static_cast<std::time_t>(policy.admit.valid_for_s) <= now;
}

// A verdict that is published again, or late, is no answer to what another run found meanwhile. What was
// found on the node alone is answered by its local stages, and the fabric adds nothing to those.
bool Case::found_bad_since() const {
  const auto suspected = parse_rfc3339(annotation_of(node, suspected_annotation));
  const bool by_local_stages = kind == RunKind::fabric && !doubted_in_fabric();
  return suspected && *suspected > (by_local_stages ? began() : ended()) &&
         annotation_of(node, suspected_by_annotation) != bounded(report.run.id, 253);
}

bool Case::passed_since() const {
  const auto last = parse_rfc3339(annotation_of(node, tested_annotation));
  return is_true() && last && *last > ended();
}

bool Case::doubted_in_fabric() const {
  return policy.fabric && annotation_of(node, suspected_in_annotation) == to_string(RunKind::fabric);
}

// By another run than this one, however often this one is published.
bool Case::confirmed() const {
  const std::string by = annotation_of(node, suspected_by_annotation);
  return status_of(node, refused_condition(policy.admit)) == "True" ||
         (!by.empty() && by != bounded(report.run.id, 253));
}

// What identifies the run must not be cut away by what the node has to say.
std::string Case::message(std::string said, const std::string& until) const {
  const std::string tail = "; run " + bounded(report.run.id, 120) + "; boot " +
                           (boot().empty() ? "unknown" : bounded(boot(), 64)) +
                           (until.empty() ? "" : "; until " + until);
  return bounded(said, longest_message - tail.size()) + tail;
}

std::string Case::faults() const {
  std::string said;
  const auto all = reasons(report);
  for (std::size_t i = 0; i < std::min<std::size_t>(all.size(), 3); ++i) {
    said += (said.empty() ? "" : "; ") + bounded(all[i].text, 240);
    if (!all[i].remedy.empty()) said += " (next: " + bounded(all[i].remedy, 160) + ")";
  }
  if (all.size() > 3) said += "; and " + std::to_string(all.size() - 3) + " more";
  return said;
}

Admission Case::passed() const {
  if (kind == RunKind::passive) return extended();
  Admission admission;
  const std::string until = rfc3339(expires());
  if (over()) {
    admission.condition.status = "Unknown", admission.condition.reason = "Expired";
    admission.condition.message =
        message("the run ended " + rfc3339(ended()) + " and was good until " + until, "");
    admission.labels = {{admission_label, "pending"}, {tier_label, std::nullopt}};
    admission.annotations[expires_annotation] = std::nullopt;
    return admission;
  }
  const bool doubt_stays = kind != RunKind::fabric && doubted_in_fabric();
  if (!doubt_stays) {
    admission.annotations = no_doubt();
    admission.refused = cleared(policy.admit, node);
  }
  if (kind == RunKind::burnin && policy.fabric) {
    admission.all_it_can = true;
    admission.condition.status = "Unknown", admission.condition.reason = "FabricStagePending";
    admission.condition.message = message(
        counts_of(report) + ", policy " + report.run.policy + "; bandwidth to other nodes is measured next",
        "");
    admission.labels[admission_label] = "fabric";
    admission.annotations[expires_annotation] = std::nullopt;
    admission.annotations[tested_annotation] = rfc3339(ended());  // since when it waits for others
    admission.annotations[policy_annotation] = policy.digest;
    return admission;
  }
  admission.open = true;
  admission.condition.status = "True", admission.condition.reason = "Admitted";
  admission.condition.message = message(counts_of(report) + ", policy " + report.run.policy, until);
  admission.labels = {{admission_label, "admitted"}, {due_label, std::nullopt}};
  // A light run measures no tier, and must not take one away.
  if (admits(kind)) {
    const std::string tier = tier_of(report, policy);
    admission.labels[tier_label] = tier.empty() ? std::nullopt : std::optional(tier);
    admission.annotations[policy_annotation] = policy.digest;
  }
  admission.annotations[expires_annotation] = until;
  admission.annotations[tested_annotation] = rfc3339(ended());
  return admission;
}

// A passive look adds time to a pass, up to what the policy allows since the last run under load, and never
// takes any away.
Admission Case::extended() const {
  const auto tested = parse_rfc3339(annotation_of(node, tested_annotation)),
             until = parse_rfc3339(annotation_of(node, expires_annotation));
  const auto valid = static_cast<std::time_t>(policy.admit.valid_for_s),
             extended = static_cast<std::time_t>(policy.admit.extended_for_s);
  std::time_t longest = tested ? *tested + extended : 0;
  // No run gives more than this: what says so was edited.
  const std::time_t most = now + std::max(valid, extended);
  longest = std::max(std::min(until.value_or(0), most), std::min(longest, expires()));
  // Nobody knows any more when it was under load: somebody took the annotations away.
  if (longest == 0) longest = now;
  const bool due = longest <= now;
  Admission admission;
  admission.all_it_can = true;
  // Somebody may have put the taint of new nodes back: no other run tolerates it on a node that is open.
  admission.open = !doubted_in_fabric() && policy.admit.startup_taint &&
                   node.index_of(*policy.admit.startup_taint).has_value();
  admission.condition.status = "True", admission.condition.reason = due ? due_reason : "Admitted";
  admission.condition.message =
      message(due ? "nothing is wrong; the last run under load is too long ago"
                  : counts_of(report) + " without load, policy " + report.run.policy,
              rfc3339(longest));
  admission.labels[due_label] = due ? std::optional<std::string>("true") : std::nullopt;
  if (!doubted_in_fabric()) admission.annotations = no_doubt();
  admission.annotations[looked_annotation] = rfc3339(ended());
  admission.annotations[expires_annotation] = rfc3339(longest);
  return admission;
}

Admission Case::failed() const {
  Admission admission;
  const bool sure = confirmed();
  // Whoever rebuilds machines acts on this: two looks beside somebody's work, which see a neighbour's fault
  // too, are no reason. The run under load comes when the node is free.
  const bool refused =
      sure && (kind != RunKind::passive || status_of(node, refused_condition(policy.admit)) == "True");
  if (!sure) {
    admission.annotations[suspected_annotation] = rfc3339(ended());
    admission.annotations[suspected_by_annotation] = bounded(report.run.id, 253);
  }
  if (!doubted_in_fabric()) admission.annotations[suspected_in_annotation] = std::string(to_string(kind));
  if (kind == RunKind::passive) admission.annotations[looked_annotation] = rfc3339(ended());
  if (kind == RunKind::passive && !sure) {
    // It was taken beside somebody's work: doubt, and the run under load comes next.
    admission.condition.status = "True", admission.condition.reason = "Suspected";
    admission.condition.message = message(faults(), annotation_of(node, expires_annotation));
    admission.labels[due_label] = "true";
    return admission;
  }
  admission.quarantine = true;
  admission.condition.status = "False", admission.condition.reason = reason_of(report);
  admission.condition.message = message(faults(), "");
  admission.refused = NodeCondition{
      .type = refused_condition(policy.admit),
      .status = refused ? "True" : "False",
      .reason = refused ? admission.condition.reason : "NotConfirmed",
      .message = message(refused ? "a second run has found a failure too: " + faults()
                         : sure  ? "a second look has found a failure too: a run under load decides"
                                 : "a second run decides",
                         ""),
      .last_transition = {}};
  admission.labels = {{admission_label, "refused"}, {tier_label, std::nullopt}, {due_label, std::nullopt}};
  admission.annotations[expires_annotation] = std::nullopt;
  return admission;
}

Admission Case::undecided() const {
  Admission admission;
  if (kind == RunKind::health) {  // nothing is taken away; the next turn is another node's
    admission.all_it_can = true;
    admission.condition = node.conditions.at(policy.admit.condition);
    admission.annotations[tried_annotation] = rfc3339(ended());
    return admission;
  }
  admission.condition.status = "Unknown", admission.condition.reason = reason_of(report);
  admission.condition.message = message(faults(), "");
  // Whose local stages stand waits for another fabric stage; all else begins again.
  admission.labels = {{admission_label, local_stages_stand() ? "fabric" : untested_label(policy.admit, node)},
                      {tier_label, std::nullopt},
                      {due_label, std::nullopt}};
  admission.annotations[expires_annotation] = std::nullopt;
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
  return {.plan = wanted_plan(policy, kind),
          .kind = kind,
          .node = NodeIdentity{node.name, node.boot_id, node.machine_id},
          .now = node.seen_at.value_or(now),
          .clock_skew_s = policy.admit.clock_skew_s};
}

Admission admission_of(const Report& report, const Policy& policy, const NodeView& node, RunKind kind,
                       std::time_t now) {
  const Case one{report, policy, node, kind, now};
  if (!admits(kind))
    if (auto corrected = label_corrected(policy.admit, node); corrected.changes) return corrected;
  if (kind == RunKind::passive)
    if (auto owed = quarantine_owed(policy.admit, node, now); owed.changes) return owed;
  if (const std::string why = one.no_business(); !why.empty()) return left_alone(why);
  // Found by the node itself: a view of metadata does not show it.
  if (!admits(kind) && one.rebooted()) return expiry_of(policy.admit, node, now);
  Admission admission = report.verdict.decision == Decision::pass   ? one.passed()
                        : report.verdict.decision == Decision::fail ? one.failed()
                                                                    : one.undecided();
  admission.condition.type = policy.admit.condition;
  admission.annotations[run_annotation] = bounded(report.run.id, 253);
  admission.annotations[boot_annotation] = bounded(one.boot(), 64);
  // Twice a day on every node, and half of an admission: the condition says it, and events are for what is
  // new.
  if (admission.all_it_can) return admission;
  admission.event = {
      .warning = admission.condition.status == "False" || report.verdict.decision != Decision::pass,
      .reason = admission.condition.reason,
      .note =
          admission.condition.type + " " + admission.condition.status + ": " + admission.condition.message,
      .instance = node.name,
      .key = report.run.id + admission.condition.status + admission.condition.reason};
  return admission;
}

}  // namespace mlc
