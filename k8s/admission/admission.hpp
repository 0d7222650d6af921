// From a report to what the node is to become. Pure.
#pragma once

#include <ctime>
#include <string>

#include "k8s/admission/node_patch.hpp"
#include "reports/record/report.hpp"
#include "validators/deciding/decide.hpp"
#include "validators/policy/admit_policy.hpp"

namespace mlc {

// The keys that mlc-bench writes on nodes.
inline constexpr const char* admission_label = "mlc-bench.io/admission";  // pending, admitted or refused
inline constexpr const char* tier_label = "mlc-bench.io/tier";
inline constexpr const char* run_annotation = "mlc-bench.io/run";
inline constexpr const char* boot_annotation = "mlc-bench.io/boot-id";
inline constexpr const char* expires_annotation = "mlc-bench.io/expires";
inline constexpr const char* quarantined_annotation = "mlc-bench.io/quarantined-at";

enum class RunKind {
  burnin,  // gives and takes
  health,  // a light run: it takes, and renews what a burn-in gave, but cannot admit
};

struct Admission {
  bool changes = true;  // false: the node is left as it is, and `why` says so
  std::string why;
  NodeCondition condition;
  bool open = false;        // take the startup taint and the quarantine away
  bool quarantine = false;  // if the policy has one
  Edits labels, annotations;
  EventText event;
};

// A report that cannot be this node's: of another node, or of another boot. Throws std::runtime_error then.
void require_report_of(const Report& report, const NodeView& node);

// What a verdict on this node wants of a report: what the policy runs in such a run, of this node as the API
// server sees it, by the server's clock (`now` where it did not say). The caller adds its version and checks.
Wanted wanted_of(const Policy& policy, const NodeView& node, RunKind kind, std::time_t now);

// What the report's verdict makes of the node. A pass whose time is over when it comes is Unknown.
Admission admission_of(const Report& report, const AdmitPolicy& policy, const NodeView& node, RunKind kind,
                       std::time_t now);

// A run begins: Unknown, so that a missing condition never reads as healthy. A node that is True stays it
// during a health run.
Admission beginning_of(const std::string& run_id, const AdmitPolicy& policy, const NodeView& node);

// A True that is over, or of an earlier boot, is Unknown from now on, and the node is pending again. Changes
// nothing otherwise.
Admission expiry_of(const AdmitPolicy& policy, const NodeView& node, std::time_t now);

}  // namespace mlc
