// A node, a run's report and a passive look, for the tests of what they make of each other.
#pragma once

#include "k8s/admission/admission.hpp"
#include "reports/record/moment.hpp"

namespace mlc {

inline constexpr std::time_t began = 1'700'000'000;

inline NodeView node(const std::string& status = "") {
  NodeView view;
  view.name = "gpu-7", view.uid = "u", view.boot_id = "boot-1";
  if (!status.empty()) view.conditions["MLClusterReady"] = {"MLClusterReady", status, "", "", "", 0};
  return view;
}

inline Report report(Decision decision) {
  Report report;
  report.run.id = "run-1", report.run.started = rfc3339(began), report.run.duration_s = 600,
  report.run.policy = "p";
  report.environment.nodes.emplace_back();
  report.environment.nodes.back().name = "gpu-7", report.environment.nodes.back().boot_id = "boot-1";
  report.verdict.decision = decision;
  return report;
}

inline NodeView labelled(const std::string& label, const std::string& status = "Unknown") {
  NodeView view = node(status);
  view.labels[admission_label] = label;
  return view;
}

inline NodeView admitted(std::time_t tested, std::time_t expires) {
  NodeView view = labelled("admitted", "True");
  view.annotations = {{boot_annotation, "boot-1"},
                      {tested_annotation, rfc3339(tested)},
                      {expires_annotation, rfc3339(expires)}};
  return view;
}

inline Admission looked(Decision decision, const NodeView& at, const std::string& run = "run-1",
                        const Policy& policy = {}) {
  Report one = report(decision);
  one.run.id = run;
  return admission_of(one, policy, at, RunKind::passive, began + 700);
}

}  // namespace mlc
