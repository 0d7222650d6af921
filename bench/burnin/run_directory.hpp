// What a burn-in leaves on disk, so that a run that was killed goes on where it was: the policy it began
// with, and for each launch the report of its stage and, once that is whole, a mark that says how it ended.
// Every file is replaced in one step; one that is damaged counts as not there.
#pragma once

#include <optional>
#include <string>

#include "reports/record/report.hpp"
#include "validators/host/file_descriptor.hpp"
#include "validators/policy/burnin_plan.hpp"

namespace mlc {

struct LaunchMark {
  int code = 0;
  double seconds = 0;
};

struct LaunchRecord {
  LaunchMark mark;
  Report report;
};

class RunDirectory {
 public:
  // `run_id` becomes a folder of `state`. Throws UsageError for an id that is no name, a run of that id that
  // was begun with another policy, and one that another process is at.
  RunDirectory(const std::string& state, const std::string& run_id, const std::string& policy_text);

  const std::string& started() const { return started_; }  // of the first attempt
  std::string policy_file() const { return path_ + "/policy.yaml"; }
  std::string report_file() const { return path_ + "/report.json"; }
  // Of this attempt alone: what an earlier one started may still be writing its last words when it is already
  // dead.
  std::string stage_report(const BurninStage& stage, int launch) const;
  std::string stage_log(const BurninStage& stage, int launch) const;

  // Decided by an earlier attempt: passed or failed. What was inconclusive or did not run is for this attempt
  // to try.
  std::optional<LaunchRecord> decided(const BurninStage& stage, int launch) const;
  void mark(const BurninStage& stage, int launch, const LaunchMark& mark) const;

 private:
  std::string file(const BurninStage& stage, int launch, const std::string& ending) const;

  std::string path_, started_, attempt_;
  FileDescriptor lock_;
};

}  // namespace mlc
