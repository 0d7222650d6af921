// From a report to what the node is to become. Pure.
#pragma once

#include <ctime>
#include <optional>
#include <string>

#include "k8s/admission/node_patch.hpp"
#include "reports/record/report.hpp"
#include "validators/deciding/decide.hpp"
#include "validators/policy/policy.hpp"
#include "validators/policy/run_kind.hpp"

namespace mlc {

// The keys that mlc-bench writes on nodes. Times are RFC 3339 in UTC, by the API server's clock.
inline constexpr const char* admission_label =
    "mlc-bench.io/admission";                                 // pending, fabric, admitted, refused
inline constexpr const char* due_label = "mlc-bench.io/due";  // "true": a look is wanted soon
inline constexpr const char* tier_label = "mlc-bench.io/tier";
inline constexpr const char* run_annotation = "mlc-bench.io/run";
inline constexpr const char* boot_annotation = "mlc-bench.io/boot-id";
inline constexpr const char* expires_annotation = "mlc-bench.io/expires";   // known good until
inline constexpr const char* tested_annotation = "mlc-bench.io/tested-at";  // the last run under load ended
inline constexpr const char* tried_annotation = "mlc-bench.io/tried-at";    // one that could not tell ended
inline constexpr const char* looked_annotation = "mlc-bench.io/looked-at";  // the last passive look ended
inline constexpr const char* suspected_annotation =
    "mlc-bench.io/suspected-at";  // a first failure, by that run
inline constexpr const char* suspected_by_annotation = "mlc-bench.io/suspected-by";
// The kind of run that failed. "fabric" stays until a fabric stage passes: no local run can tell that what it
// found is mended.
inline constexpr const char* suspected_in_annotation = "mlc-bench.io/suspected-in";
// Of the policy by which it was opened or handed over: its digest.
inline constexpr const char* policy_annotation = "mlc-bench.io/policy";
inline constexpr const char* quarantined_annotation = "mlc-bench.io/quarantined-at";

// Of what remakes nodes or shuts them for good: True only where a second run has found a failure too.
// "MLClusterReady" makes "MLClusterRefused".
std::string refused_condition(const AdmitPolicy& policy);

struct Admission {
  bool changes = true;  // false: the node is left as it is, and `why` says so
  std::string why;
  NodeCondition condition;
  std::optional<NodeCondition> refused;  // the second condition, where it is to be written
  bool open = false;                     // take the startup taint and the quarantine away
  bool quarantine = false;               // if the policy has one
  bool all_it_can = false;               // not opened, and all the same what a pass of such a run can reach
  Edits labels, annotations;
  EventText event;
};

// A report that cannot be this node's: of another node, or of another boot. Throws std::runtime_error then.
void require_report_of(const Report& report, const NodeView& node);

// What a verdict on this node wants of a report: what the policy runs in such a run, of this node as the API
// server sees it, by the server's clock (`now` where it did not say). The caller adds its version and checks.
Wanted wanted_of(const Policy& policy, const NodeView& node, RunKind kind, std::time_t now);

// What the report's verdict makes of the node. A pass whose time is over when it comes is Unknown.
//
// burnin and fabric give; where the policy has a fabric section, a burnin that passes hands the node over
// (label `fabric`, Unknown) and only the fabric stage opens it. Looks (health, passive) renew what is True.
// A failure makes the condition False, or after a passive look a suspicion; a second run that fails too
// confirms it, and only then is the refused condition True.
Admission admission_of(const Report& report, const Policy& policy, const NodeView& node, RunKind kind,
                       std::time_t now);

// A run begins: Unknown, so that a missing condition never reads as healthy. Looks change nothing before they
// know, and a node that waits for its fabric stage is Unknown already.
Admission beginning_of(const std::string& run_id, const AdmitPolicy& policy, const NodeView& node,
                       RunKind kind);

// Of an earlier boot: Unknown, and pending again. A True whose time is over stays True, since stale is not
// bad: it is due for a look, which a label and the condition's reason say. Changes nothing otherwise.
//
// A view of metadata alone will do (labels and annotations, as a dispatcher reads them): then the label
// `admitted` stands for the condition, and a reboot, which metadata does not show, is not found.
Admission expiry_of(const AdmitPolicy& policy, const NodeView& node, std::time_t now);

}  // namespace mlc
