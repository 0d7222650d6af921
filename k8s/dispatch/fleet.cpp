#include "k8s/dispatch/fleet.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "k8s/admission/admission.hpp"
#include "reports/record/json_reader.hpp"
#include "reports/record/moment.hpp"

namespace mlc {

namespace {

using Json = nlohmann::json;
const Json nothing = Json::object();

const Json& part(const Json& object, const char* key) {
  if (!object.is_object()) return nothing;
  const auto found = object.find(key);
  return found == object.end() ? nothing : *found;
}

std::string text(const Json& object, const char* key) {
  const Json& value = part(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::int64_t number(const Json& object, const char* key) {
  const Json& value = part(object, key);
  return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}

std::optional<std::time_t> moment(const Json& object, const char* key) {
  return parse_rfc3339(text(object, key));
}

const Json& metadata_of(const Json& item, const char* what) {
  const Json& metadata = part(item, "metadata");
  if (text(metadata, "name").empty() || text(metadata, "uid").empty())
    throw std::runtime_error(std::string("the API server's answer holds something that is no ") + what);
  return metadata;
}

std::vector<JobMember> members_of(const std::string& annotation) {
  std::vector<JobMember> members;
  const auto list = read_json_if(annotation, {.bytes = 256 * 1024, .depth = 4});
  if (!list || !list->is_array()) return members;
  for (const auto& one : *list)
    if (!text(one, "uid").empty()) {
      const auto tried = number(one, "try");
      members.push_back({text(one, "name"), text(one, "uid"),
                         tried < 0 || tried >= most_tries ? 0 : static_cast<int>(tried)});
    }
  return members;
}

// The ConfigMap of the volume "policy", by name, which kustomize makes of what is in it. What webhooks add
// beside it is not looked at.
std::string policy_mounted_by(const Json& pod) {
  const Json& volumes = part(pod, "volumes");
  if (!volumes.is_array()) return {};
  for (const auto& volume : volumes)
    if (text(volume, "name") == "policy") return text(part(volume, "configMap"), "name");
  return {};
}

}  // namespace

const JobMember* DispatchJob::member(const std::string& of) const {
  const auto found = std::ranges::find(members, of, &JobMember::uid);
  return found == members.end() ? nullptr : &*found;
}

void distrust_times_ahead(Fleet& fleet, const AdmitPolicy& policy) {
  const std::time_t latest = fleet.now + static_cast<std::time_t>(policy.clock_skew_s),
                    longest = latest +
                              static_cast<std::time_t>(std::max(policy.valid_for_s, policy.extended_for_s));
  for (auto& node : fleet.nodes) {
    for (auto* time : {&node.tested, &node.tried, &node.looked, &node.suspected})
      if (*time && **time > latest) time->reset();
    if (node.expires && *node.expires > longest) node.expires = fleet.now;
  }
}

FleetNode read_fleet_node(const Json& item) {
  const Json& metadata = metadata_of(item, "node");
  const Json &labels = part(metadata, "labels"), &annotations = part(metadata, "annotations");
  FleetNode node;
  node.name = text(metadata, "name"), node.uid = text(metadata, "uid");
  node.created = moment(metadata, "creationTimestamp").value_or(0);
  node.state = text(labels, admission_label);
  node.hostname = text(labels, "kubernetes.io/hostname");
  if (node.hostname.empty()) node.hostname = node.name;
  node.due = text(labels, due_label), node.tested_hour = text(labels, tested_hour_label);
  node.expires = moment(annotations, expires_annotation);
  node.tested = moment(annotations, tested_annotation);
  node.looked = moment(annotations, looked_annotation);
  node.suspected = moment(annotations, suspected_annotation);
  node.tried = moment(annotations, tried_annotation);
  node.policy = text(annotations, policy_annotation);
  node.quarantined = !text(annotations, quarantined_annotation).empty();
  const std::string attempts = text(annotations, attempts_annotation);
  node.attempts = read_attempts(attempts), node.anew = attempts == attempts_anew;
  return node;
}

std::optional<DispatchJob> read_job(const Json& item) {
  const Json& metadata = metadata_of(item, "Job");
  const auto kind = job_kind_of(text(part(metadata, "labels"), kind_label));
  if (!kind) return std::nullopt;
  DispatchJob job;
  job.kind = *kind;
  job.name = text(metadata, "name"), job.uid = text(metadata, "uid");
  job.resource_version = text(metadata, "resourceVersion");
  job.created = moment(metadata, "creationTimestamp").value_or(0);
  job.leaving = moment(metadata, "deletionTimestamp");
  job.members = members_of(text(part(metadata, "annotations"), members_annotation));
  const Json& suspend = part(part(item, "spec"), "suspend");
  job.suspended = suspend.is_boolean() && suspend.get<bool>();
  job.configured_by = policy_mounted_by(part(part(part(item, "spec"), "template"), "spec"));
  const Json& status = part(item, "status");
  job.began = moment(status, "startTime");
  job.ended = number(status, "succeeded") > 0 || number(status, "failed") > 0;
  job.running = job.ended || number(status, "ready") > 0 || number(status, "terminating") > 0;
  if (const Json& conditions = part(status, "conditions"); conditions.is_array())
    for (const auto& condition : conditions) {
      const std::string type = text(condition, "type");
      if (text(condition, "status") != "True") continue;
      if (type == "FailureTarget") job.lost = moment(condition, "lastTransitionTime");
      if (type != "Complete" && type != "Failed") continue;
      job.passed = type == "Complete";
      job.finished = moment(condition, "lastTransitionTime").value_or(job.created);
      // The templates fail a Job by its Pod failure policy where the command ended by itself without a pass:
      // 1 (refused) or 64, and of a health run with anything; a Pod that was disrupted is another rule's, and
      // first.
      job.answered = type == "Complete" || text(condition, "reason") == "PodFailurePolicy";
    }
  return job;
}

std::optional<JobPod> read_job_pod(const Json& item) {
  const Json& metadata = metadata_of(item, "Pod");
  JobPod pod;
  pod.job = text(part(metadata, "labels"), job_name_label);
  if (pod.job.empty()) return std::nullopt;
  pod.created = moment(metadata, "creationTimestamp").value_or(0);
  pod.node = text(part(item, "spec"), "nodeName");
  const Json& status = part(item, "status");
  if (const Json& conditions = part(status, "conditions"); conditions.is_array())
    for (const auto& condition : conditions) {
      if (text(condition, "type") != "PodScheduled") continue;
      if (text(condition, "status") == "True")
        pod.placed = moment(condition, "lastTransitionTime");
      else
        pod.why = text(condition, "message");
    }
  // What is injected before it may have run: only its own container counts.
  for (const char* list : {"containerStatuses", "initContainerStatuses"})
    if (const Json& containers = part(status, list); containers.is_array())
      for (const auto& container : containers) {
        const Json &state = part(container, "state"), &waiting = part(state, "waiting");
        const bool own = std::string_view(list) == "containerStatuses";
        pod.begun = pod.begun || (own && (state.contains("running") || state.contains("terminated")));
        if (waiting.empty() || !pod.why.empty()) continue;
        const std::string message = text(waiting, "message");
        pod.why = text(waiting, "reason") +
                  (message.empty() ? ", and kubectl describe pod says what for" : ": " + message);
      }
  return pod;
}

void add_pods(Fleet& fleet, const std::vector<JobPod>& pods) {
  std::map<std::string, DispatchJob*> jobs;
  for (auto& job : fleet.jobs)
    if (!job.over()) jobs[job.name] = &job;
  for (const auto& pod : pods) {
    const auto found = jobs.find(pod.job);
    if (found == jobs.end()) continue;
    DispatchJob& job = *found->second;
    ++(pod.begun ? job.begun : job.idle);
    if (!pod.begun && !pod.node.empty()) job.idle_on[pod.node] = pod.placed.value_or(pod.created);
    if (pod.begun || (job.idle_since && *job.idle_since <= pod.created)) continue;
    job.idle_since = pod.created, job.idle_why = pod.why;
  }
  for (auto& [name, job] : jobs)
    if (job->begun + job->idle > 0) job->running = job->begun > 0;
}

std::vector<std::string> looks_without_pass(const Fleet& fleet) {
  std::vector<std::string> names;
  for (const auto& job : fleet.jobs)
    if (job.kind == JobKind::health && job.members.empty() && job.over() && !job.passed)
      names.push_back(job.name);
  return names;
}

void add_places(Fleet& fleet, const std::vector<JobPod>& pods) {
  for (auto& job : fleet.jobs)
    if (const auto pod = std::ranges::find(pods, job.name, &JobPod::job); pod != pods.end())
      job.on = pod->node;
}

void give_up_lost_jobs(Fleet& fleet) {
  for (auto& job : fleet.jobs)
    for (const auto& told_to_end : {job.lost, job.leaving})
      if (!job.over() && told_to_end && *told_to_end + lost_after_s < fleet.now) job.finished = told_to_end;
}

std::optional<std::pair<JobKind, JobTemplate>> read_template(const Json& item) {
  const Json& metadata = metadata_of(item, "CronJob");
  const auto kind = job_kind_of(text(part(metadata, "labels"), template_label));
  if (!kind) return std::nullopt;
  // Of Jobs that take any free node: kept under their own kind.
  const auto attempts = read_attempts(text(part(metadata, "annotations"), attempts_annotation));
  JobTemplate made{text(metadata, "name"), text(metadata, "uid"), {}, {}};
  const Json& job = part(part(part(item, "spec"), "jobTemplate"), "spec");
  made.configured_by = policy_mounted_by(part(part(job, "template"), "spec"));
  if (const auto own = attempts.find(*kind); own != attempts.end()) made.attempts = own->second;
  return std::pair{*kind, made};
}

std::optional<std::pair<std::string, std::time_t>> read_reboot(const Json& item, std::time_t now) {
  const Json& of = part(item, "involvedObject");
  if (text(item, "reason") != "Rebooted" || text(of, "kind") != "Node" || text(of, "name").empty())
    return std::nullopt;
  // When the event was made is the server's word; when it was seen again, that of a kubelet whose clock may
  // be wrong.
  auto when = moment(part(item, "metadata"), "creationTimestamp");
  if (const auto again = moment(item, "lastTimestamp"); again && *again <= now && (!when || *again > *when))
    when = again;
  return when ? std::optional(std::pair{text(of, "name"), *when}) : std::nullopt;
}

}  // namespace mlc
