// What the dispatcher sees: nodes as metadata alone, the Jobs it made, and the templates they are made of.
// Pure.
#pragma once

#include <ctime>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "k8s/admission/admission.hpp"
#include "k8s/dispatch/attempts.hpp"

namespace mlc {

// Whole hours since 1970 of the last active run, so that a Pod's node affinity can ask for "before".
inline constexpr const char* tested_hour_label = "mlc-bench.io/tested-hour";
inline constexpr const char* attempts_annotation = "mlc-bench.io/attempts";
inline constexpr const char* kind_label = "mlc-bench.io/kind";          // of a Job
inline constexpr const char* node_label = "mlc-bench.io/node";          // of a Job, for people
inline constexpr const char* template_label = "mlc-bench.io/template";  // of a CronJob: which kind
inline constexpr const char* members_annotation = "mlc-bench.io/members";

struct FleetNode {
  std::string name, uid;
  std::string state;     // the admission label
  std::string hostname;  // the label that node affinity compares
  std::time_t created = 0;
  std::optional<std::time_t> expires, tested, looked, suspected;
  std::string due, tested_hour;  // labels as they are
  AttemptsOf attempts;
};

// Which nodes a Job is for. A health Job that takes any free node has none.
struct JobMember {
  std::string name, uid;
  int number = 0;  // of the try
};

struct DispatchJob {
  std::string name, uid, resource_version;
  JobKind kind = JobKind::burnin;
  std::vector<JobMember> members;
  std::time_t created = 0;
  std::optional<std::time_t> began;     // its controller began to make Pods
  std::optional<std::time_t> finished;  // complete or failed
  bool running = false;                 // a Pod of it runs, or has run
  bool suspended = false;               // by Kueue, which lets it go later
  bool answered = false;                // the command ended with a verdict that asking again would not change
  bool leaving = false;                 // deletion has begun

  bool over() const { return finished.has_value(); }
  bool waiting() const { return !over() && !running; }
  const JobMember* member(const std::string& uid) const;
};

struct JobTemplate {
  std::string name, uid;
  Attempts attempts;  // of Jobs that take any free node
};

inline constexpr int unlabelled_shown = 3;

struct Fleet {
  std::time_t now = 0;  // by the API server's clock
  std::vector<FleetNode> nodes;
  std::vector<DispatchJob> jobs;
  std::map<JobKind, JobTemplate> templates;
  // By name, of the last hour: metadata does not show in which boot a node is.
  std::map<std::string, std::time_t> reboots;
  // Nodes without the label of the fleet, no control planes among them: unlabelled_shown, and one if there
  // are more.
  std::vector<std::string> unlabelled;
  std::string no_reboots;  // why they are not known
};

// Of a time that lies ahead nothing is known: an annotation that was edited or damaged must not keep a node
// from being looked at. A pass is good for no longer than the policy gives.
void distrust_times_ahead(Fleet& fleet, const AdmitPolicy& policy);

// One item of a PartialObjectMetadataList, a Job, a CronJob. Throws std::runtime_error where it is none.
FleetNode read_fleet_node(const nlohmann::json& item);
// Empty for a Job that is none of ours.
std::optional<DispatchJob> read_job(const nlohmann::json& item);
// A kubelet's event of the reason Rebooted: which node, and when. Empty for any other.
std::optional<std::pair<std::string, std::time_t>> read_reboot(const nlohmann::json& item);
std::optional<std::pair<JobKind, JobTemplate>> read_template(const nlohmann::json& item);

}  // namespace mlc
