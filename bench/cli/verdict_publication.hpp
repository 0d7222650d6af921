// A verdict on its way to the cluster. Until it has arrived it lies on disk, so that neither a kill nor an
// API server that is away loses it: the next run brings it.
#pragma once

#include <string>

#include "bench/cli/kubernetes_options.hpp"
#include "k8s/admission/admission.hpp"
#include "reports/record/exit_code.hpp"

namespace mlc {

struct VerdictPublication {
  std::string node;
  RunKind kind = RunKind::burnin;
  std::string state;  // folder of what could not be published; empty: none
  Policy policy;
  KubernetesOptions kubernetes;
  // The run's times are of this machine's clock, which may be wrong by a day: the cluster is told what they
  // are by its own. Not of a report that somebody else brings.
  bool own_clock = false;

  // Decides anew, under this policy. Says on stderr what was done. The verdict's exit code; 3 where the
  // cluster could not be told: the Job is then tried again, under the same name, and tells it.
  ExitCode publish(const Report& report) const;
  bool is_published() const;  // the cluster has the last one
  // The condition is Unknown from now on. False, and said on stderr, where the cluster could not be told.
  bool begin(const std::string& run_id) const;
  // What an earlier run left behind, if anything. False where it is still left.
  bool publish_left_behind() const;

 private:
  std::string left_behind(RunKind of) const;
  struct Sent {
    bool arrived = false;
    Verdict verdict;  // as it was decided here, from what the report shows
    Admission admission;
  };
  Sent send(Report report, RunKind as) const;
};

}  // namespace mlc
