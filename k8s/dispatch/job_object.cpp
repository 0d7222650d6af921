#include "k8s/dispatch/job_object.hpp"

#include <array>
#include <stdexcept>

#include "k8s/admission/admission.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

using Json = nlohmann::ordered_json;

constexpr double hour_s = 3600;

Json expression(const std::string& key, const std::string& op, const std::vector<std::string>& values = {}) {
  Json one{{"key", key}, {"operator", op}};
  if (!values.empty()) one["values"] = values;
  return one;
}

Json term(Json expressions) { return {{"matchExpressions", std::move(expressions)}}; }

const char* const hostname_label = "kubernetes.io/hostname";

// Alternatives, of which a node has to fit one.
Json terms_of(const CreateJob& job) {
  if (job.kind == JobKind::fabric) {
    Json terms = Json::array({term(Json::array({expression(hostname_label, "In", job.hosts)}))});
    // Known good, and nothing known against it since.
    if (job.witnesses)
      terms.push_back(term(Json::array(
          {expression(admission_label, "In", {"admitted"}), expression(due_label, "DoesNotExist")})));
    return terms;
  }
  // By the name itself, which no label can lie about. spec.nodeName would go around the scheduler, and so
  // around the counting of GPUs, taints and priorities.
  if (!job.members.empty())
    return Json::array(
        {{{"matchFields", Json::array({expression("metadata.name", "In", {job.members.front().name})})}}});
  if (!job.tested_before) return Json::array();
  const Json admitted = expression(admission_label, "In", {"admitted"});
  const auto hour = static_cast<long long>(static_cast<double>(*job.tested_before) / hour_s) + 1;
  return Json::array(
      {term(Json::array({admitted, expression(tested_hour_label, "Lt", {std::to_string(hour)})})),
       term(Json::array({admitted, expression(tested_hour_label, "DoesNotExist")}))});
}

// What of several nodes that fit is taken: of a group the new ones, of a look the stalest.
Json preferences_of(const CreateJob& job) {
  Json preferred = Json::array();
  if (job.kind == JobKind::fabric && job.witnesses)
    preferred.push_back(
        {{"weight", 100}, {"preference", term(Json::array({expression(hostname_label, "In", job.hosts)}))}});
  if (job.kind != JobKind::health || !job.tested_before) return preferred;
  // Weights add up, so each step further back counts more.
  static constexpr std::array days{1, 2, 4, 8, 16, 32};
  for (const int day : days) {
    const auto hour =
        static_cast<long long>(static_cast<double>(*job.tested_before) / hour_s) + 1 - 24LL * day;
    if (hour <= 0) break;
    preferred.push_back(
        {{"weight", 15},
         {"preference", term(Json::array({expression(tested_hour_label, "Lt", {std::to_string(hour)})}))}});
  }
  preferred.push_back(
      {{"weight", 100}, {"preference", term(Json::array({expression(tested_hour_label, "DoesNotExist")}))}});
  return preferred;
}

Json& object_at(Json& in, const char* key) {
  if (!in.contains(key) || !in[key].is_object()) in[key] = Json::object();
  return in[key];
}

// Beside what the template asks of a node: each of its alternatives has to hold with each of ours.
void hold_to_nodes(Json& pod, const CreateJob& job) {
  const Json ours = terms_of(job);
  Json& affinity = object_at(object_at(pod, "affinity"), "nodeAffinity");
  if (!ours.empty()) {
    Json& required = object_at(affinity, "requiredDuringSchedulingIgnoredDuringExecution");
    Json theirs = required.value("nodeSelectorTerms", Json::array());
    if (theirs.empty()) theirs.push_back(Json::object());
    Json both = Json::array();
    for (const auto& one : theirs)
      for (const auto& own : ours) {
        Json joined = one;
        for (const char* key : {"matchExpressions", "matchFields"}) {
          if (!own.contains(key)) continue;
          if (!joined.contains(key)) joined[key] = Json::array();
          for (const auto& condition : own[key])
            joined[key].push_back(condition);
        }
        both.push_back(joined);
      }
    required["nodeSelectorTerms"] = both;
  }
  for (const auto& preference : preferences_of(job))
    affinity["preferredDuringSchedulingIgnoredDuringExecution"].push_back(preference);
  if (affinity.empty()) pod["affinity"].erase("nodeAffinity");
}

void set_environment(Json& pod, const std::string& name, const std::string& value) {
  for (auto& container : pod["containers"]) {
    Json environment = Json::array();
    environment.push_back({{"name", name}, {"value", value}});  // first: others may refer to it
    if (container.contains("env"))
      for (const auto& one : container["env"])
        if (one.value("name", "") != name) environment.push_back(one);
    container["env"] = environment;
  }
}

std::string members_text(const CreateJob& job) {
  Json list = Json::array();
  for (const auto& member : job.members)
    list.push_back({{"name", member.name}, {"uid", member.uid}, {"try", member.number}});
  return list.dump();
}

}  // namespace

Json job_object(const nlohmann::json& cron_job, const CreateJob& job, const DispatchPolicy& policy) {
  static const nlohmann::json::json_pointer template_at("/spec/jobTemplate"), pod_at("/spec/template/spec");
  if (!cron_job.contains(template_at) || !cron_job.at(template_at).contains(pod_at) ||
      !cron_job.at(template_at).at(pod_at).contains("containers"))
    throw std::runtime_error("the CronJob for " + to_string(job.kind) + " holds no Job to make");
  Json made = cron_job.at(template_at);
  // What is added to an ordered object moves its other members: no reference is kept over an insertion.
  const Json given = made.value("metadata", Json::object());
  Json labels = given.value("labels", Json::object()),
       annotations = given.value("annotations", Json::object());
  labels["app.kubernetes.io/managed-by"] = "mlc-bench-dispatch";
  labels[kind_label] = to_string(job.kind);
  // Looks without load take nothing that a queue shares out, and must not wait for it.
  const bool queued = job.kind != JobKind::passive && job.kind != JobKind::ipam;
  if (queued && !policy.queue.empty()) labels["kueue.x-k8s.io/queue-name"] = policy.queue;
  // A label holds 63 characters, and names of nodes may be longer.
  if (job.members.size() == 1 && job.members.front().name.size() <= 63)
    labels[node_label] = job.members.front().name;
  if (!job.members.empty()) annotations[members_annotation] = members_text(job);

  Json spec = made["spec"];
  if (job.kind == JobKind::fabric)
    spec["completionMode"] = "Indexed", spec["completions"] = job.pods, spec["parallelism"] = job.pods;
  if (job.kind == JobKind::ipam) spec["ttlSecondsAfterFinished"] = static_cast<int>(2 * ipam_every_s);
  if (!job.members.empty())
    object_at(object_at(spec["template"], "metadata"), "annotations")[members_annotation] = members_text(job);
  Json& pod = spec["template"]["spec"];
  hold_to_nodes(pod, job);
  set_environment(pod, "PODS", std::to_string(job.pods));
  // Else as the template has it: the Job's own uid, so that no look is taken for an earlier one.
  if (!job.run_id.empty()) set_environment(pod, "RUN_ID", job.run_id);
  return {{"apiVersion", "batch/v1"},
          {"kind", "Job"},
          {"metadata",
           {{"name", job.name},
            {"namespace", policy.job_namespace},
            {"labels", labels},
            {"annotations", annotations}}},
          {"spec", spec}};
}

}  // namespace mlc
