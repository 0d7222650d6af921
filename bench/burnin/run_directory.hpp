// What a burn-in leaves on disk, so that a run that was killed goes on where it was: what it began with, and
// for each launch the report of its stage and, once that is whole, a mark that says how it ended. Every file
// is replaced in one step; one that is damaged counts as not there.
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

// What must be the same for a run to go on. A node that was booted anew, another policy or another program
// may come to other results: what was decided before counts for nothing then.
struct RunKey {
  std::string boot_id;
  std::string policy;  // digests
  std::string program;
  std::string plan;  // "burnin" or "health": their stages may have the same names
};

class RunDirectory {
 public:
  // `run_id` becomes a folder of `state`. Throws UsageError for an id that is no name, std::runtime_error for
  // a run that another process is at, and for folders that others can write in.
  RunDirectory(const std::string& state, const std::string& run_id, const RunKey& key,
               const std::string& policy_text);

  const std::string& started() const { return started_; }  // of the first attempt
  // Of the run: its name, and from its second beginning on ":2", ":3", ... so that two that fail are two. The
  // folder keeps its name.
  const std::string& id() const { return id_; }
  // Why a run of this name that was begun before does not go on; empty where it does, or there was none.
  const std::string& begun_anew() const { return begun_anew_; }
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
  // Pass or fail, and whoever asked has it: asked again, the node is tested again, and does not hear what was
  // found then. One that could not be published is published by the next of this name.
  void verdict_is_known() const;

 private:
  std::string file(const BurninStage& stage, int launch, const std::string& ending) const;

  void forget() const;

  RunKey key_;
  std::string path_, id_, started_, begun_anew_, attempt_;
  FileDescriptor lock_;
};

}  // namespace mlc
