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
inline constexpr const char* attempts_anew = "again";                   // its value, as people write it
inline constexpr const char* kind_label = "mlc-bench.io/kind";          // of a Job
inline constexpr const char* node_label = "mlc-bench.io/node";          // of a Job, for people
inline constexpr const char* template_label = "mlc-bench.io/template";  // of a CronJob: which kind
inline constexpr const char* members_annotation = "mlc-bench.io/members";
inline constexpr const char* job_name_label = "batch.kubernetes.io/job-name";  // of a Pod

// The templates' Pods have 30 s to end; the rest is for a kubelet that is slow to say so.
inline constexpr std::time_t lost_after_s = 300;

struct FleetNode {
  std::string name, uid;
  std::string state;     // the admission label
  std::string hostname;  // the label that node affinity compares
  std::time_t created = 0;
  std::optional<std::time_t> expires, tested, looked, suspected;
  std::optional<std::time_t> tried;  // the last run under load that could not tell
  std::string due, tested_hour;      // labels as they are
  std::string policy;                // digest of the policy by which it was opened or handed over
  bool quarantined = false;          // it was taken out, and says when
  AttemptsOf attempts;
  bool anew = false;  // somebody wants it tried at once, as if it never had been
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
  std::optional<std::time_t> lost;      // its Pods were told to end by then, for its deadline or a failure
  std::optional<std::time_t> leaving;   // its deletion has begun
  bool running = false;                 // a Pod of it has begun
  bool ended = false;                   // a Pod of it has ended
  bool suspended = false;               // by Kueue, which lets it go later
  bool answered = false;                // the command ended with a verdict that asking again would not change
  bool passed = false;                  // the command ended with exit code 0
  std::string configured_by;            // the ConfigMap that its Pods have their policy of
  // Of its Pods that have not ended; none where they are not known.
  int begun = 0, idle = 0;
  std::optional<std::time_t> idle_since;  // of the one that has waited longest to begin
  std::string idle_why;                   // what the scheduler or the kubelet says of it
  std::map<std::string, std::time_t>
      idle_on;     // the nodes that have such a Pod and do not begin it, and since when
  std::string on;  // of a look at any free node: the node that it got

  bool over() const { return finished.has_value(); }
  bool waiting() const { return !over() && !running; }
  const JobMember* member(const std::string& uid) const;
};

// A Pod of a Job.
struct JobPod {
  std::string job;
  bool begun = false;  // a container of it runs, or has run
  std::time_t created = 0;
  std::string why;                         // where it has not begun: no place, no image, ...
  std::string node;                        // that has a place for it; empty: none yet
  std::optional<std::time_t> placed = {};  // when it got it
};

struct JobTemplate {
  std::string name, uid;
  Attempts attempts;          // of Jobs that take any free node
  std::string configured_by;  // as of a Job
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
  std::string no_pods;     // why Jobs are known by their status alone
};

// Of a time that lies ahead nothing is known: an annotation that was edited or damaged must not keep a node
// from being looked at. A pass is good for no longer than the policy gives.
void distrust_times_ahead(Fleet& fleet, const AdmitPolicy& policy);

// What Pods there are says more of a Job than its status, which forgets that they ran: those that have not
// ended.
void add_pods(Fleet& fleet, const std::vector<JobPod>& pods);

// Looks at any free node that ended without a pass.
std::vector<std::string> looks_without_pass(const Fleet& fleet);
// Which nodes those had got, by their Pods.
void add_places(Fleet& fleet, const std::vector<JobPod>& pods);

// A Pod on a node that has lost its power is never seen to end, and so its Job is never seen to fail: what
// was told to end longer ago than any Pod takes is over.
void give_up_lost_jobs(Fleet& fleet);

// One item of a PartialObjectMetadataList, a Job, a Pod, a CronJob. Throws std::runtime_error where it is
// none.
FleetNode read_fleet_node(const nlohmann::json& item);
// Empty for a Job that is none of ours.
std::optional<DispatchJob> read_job(const nlohmann::json& item);
// Empty for a Pod of no Job.
std::optional<JobPod> read_job_pod(const nlohmann::json& item);
// A kubelet's event of the reason Rebooted: which node, and when. Empty for any other.
std::optional<std::pair<std::string, std::time_t>> read_reboot(const nlohmann::json& item, std::time_t now);
std::optional<std::pair<JobKind, JobTemplate>> read_template(const nlohmann::json& item);

}  // namespace mlc
