#include "k8s/admission/standing.hpp"

#include "reports/record/moment.hpp"

namespace mlc {

namespace {

std::string value_of(const std::map<std::string, std::string>& texts, const char* key) {
  const auto found = texts.find(key);
  return found == texts.end() ? "" : found->second;
}

Admission left_alone(std::string why) {
  Admission admission;
  admission.changes = false, admission.why = std::move(why);
  return admission;
}

Admission rebooted(const AdmitPolicy& policy, const NodeView& node, const std::string& boot) {
  Admission admission;
  admission.condition = {.type = policy.condition,
                         .status = "Unknown",
                         .reason = "Rebooted",
                         .message = "validated in boot " + (boot.empty() ? "unknown" : bounded(boot, 64)) +
                                    ", now boot " + bounded(node.boot_id, 64),
                         .last_transition = {}};
  admission.labels = {{admission_label, "pending"}, {due_label, std::nullopt}};
  admission.annotations[expires_annotation] = std::nullopt;
  admission.event = {.warning = true,
                     .reason = admission.condition.reason,
                     .note = policy.condition + " Unknown: " + admission.condition.message,
                     .instance = node.name,
                     .key = admission.condition.reason + boot + node.boot_id};
  return admission;
}

}  // namespace

std::string status_of(const NodeView& node, const std::string& condition) {
  const auto found = node.conditions.find(condition);
  return found == node.conditions.end() ? "" : found->second.status;
}

std::string label_of(const NodeView& node, const char* key) { return value_of(node.labels, key); }
std::string annotation_of(const NodeView& node, const char* key) { return value_of(node.annotations, key); }

std::string refused_condition(const AdmitPolicy& policy) {
  constexpr std::string_view ready = "Ready";
  const std::string& type = policy.condition;
  return (type.ends_with(ready) ? type.substr(0, type.size() - ready.size()) : type) + "Refused";
}

std::string untested_label(const AdmitPolicy& policy, const NodeView& node) {
  const bool refused =
      label_of(node, admission_label) == "refused" && status_of(node, refused_condition(policy)) == "True";
  return refused ? "refused" : "pending";
}

Admission label_corrected(const AdmitPolicy& policy, const NodeView& node) {
  const std::string status = status_of(node, policy.condition);
  if (status == "True" || label_of(node, admission_label) != "admitted")
    return left_alone("the label says what the condition says");
  Admission admission;
  admission.all_it_can = true;
  if (status.empty())
    admission.condition = {.type = policy.condition,
                           .status = "Unknown",
                           .reason = "NotAdmitted",
                           .message = "labelled admitted, and no run has admitted it",
                           .last_transition = {}};
  else
    admission.condition = node.conditions.at(policy.condition);
  admission.labels = {{admission_label, status == "False" ? "refused" : "pending"},
                      {due_label, std::nullopt}};
  return admission;
}

Admission quarantine_owed(const AdmitPolicy& policy, const NodeView& node, std::time_t now) {
  // While it is tested again the condition is Unknown, and a refusal that was confirmed stands.
  const bool refused =
      label_of(node, admission_label) == "refused" &&
      (status_of(node, policy.condition) == "False" || status_of(node, refused_condition(policy)) == "True");
  if (!policy.quarantine || !refused || !node.conditions.contains(policy.condition))
    return left_alone("it is not refused");
  if (node.index_of(policy.quarantine->taint) && node.annotations.contains(quarantined_annotation))
    return left_alone("it is in quarantine");
  Admission admission;
  admission.all_it_can = admission.quarantine = true;
  admission.condition = node.conditions.at(policy.condition);
  admission.annotations[looked_annotation] = rfc3339(now);  // the next try is an hour later
  return admission;
}

Admission beginning_of(const std::string& run_id, const AdmitPolicy& policy, const NodeView& node,
                       RunKind kind) {
  if (kind != RunKind::burnin)
    return left_alone("a " + std::string(to_string(kind)) + " run changes nothing before it knows");
  Admission admission;
  admission.condition = {.type = policy.condition,
                         .status = "Unknown",
                         .reason = "BurnInRunning",
                         .message = bounded("run " + run_id + " has begun; boot " + node.boot_id, 1024),
                         .last_transition = {}};
  admission.annotations = {{run_annotation, bounded(run_id, 253)},
                           {boot_annotation, bounded(node.boot_id, 64)},
                           {expires_annotation, std::nullopt}};
  admission.labels = {{admission_label, untested_label(policy, node)}, {due_label, std::nullopt}};
  // Mended, an operator says. What remakes nodes must wait for what this run finds; a failure is confirmed
  // then, since who found the first is still known.
  if (const std::string refused = refused_condition(policy);
      label_of(node, admission_label) == "pending" && status_of(node, refused) == "True")
    admission.refused = NodeCondition{.type = refused,
                                      .status = "False",
                                      .reason = "TestedAgain",
                                      .message = "labelled pending since a second run has found a failure",
                                      .last_transition = {}};
  return admission;
}

Admission expiry_of(const AdmitPolicy& policy, const NodeView& node, std::time_t now) {
  const bool metadata_alone = node.conditions.empty() && node.boot_id.empty();
  if (metadata_alone ? label_of(node, admission_label) != "admitted"
                     : status_of(node, policy.condition) != "True")
    return left_alone(policy.condition + " is not True");
  const std::string boot = annotation_of(node, boot_annotation),
                    until = annotation_of(node, expires_annotation);
  if (!node.boot_id.empty() && boot != node.boot_id) return rebooted(policy, node, boot);
  const auto expires = parse_rfc3339(until);
  if (expires && *expires > now) return left_alone("good until " + until);
  const bool said = metadata_alone || node.conditions.at(policy.condition).reason == due_reason;
  if (said && label_of(node, due_label) == "true") return left_alone("due for a look, as it says");
  Admission admission;
  admission.condition = {.type = policy.condition,
                         .status = "True",
                         .reason = due_reason,
                         .message = expires ? "known good until " + until + "; nothing is known against it"
                                            : std::string("no readable annotation ") + expires_annotation +
                                                  "; nothing is known against it",
                         .last_transition = {}};
  admission.labels[due_label] = "true";
  return admission;
}

}  // namespace mlc
