// `burnin --fabric`: one Pod of a group of nodes, each of which publishes for its own node alone. The process
// that is started holds what serves the others (sshd, and at index 0 the leader) and ends with its own
// member, a second process of this program, so that nothing keeps GPUs when the stage is over.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "bench/cli/output_options.hpp"
#include "reports/record/exit_code.hpp"
#include "reports/record/report.hpp"
#include "validators/policy/policy.hpp"

namespace mlc {

struct FabricOptions {
  bool fabric = false;
  std::string leader, key, gather = "3m", new_nodes, ssh;
  int members = 0, port = 18520, index = -1;

  void add_to(CLI::App& command);
  void check() const;  // throws UsageError
};

struct FabricRequest {
  const FabricOptions& options;
  const Policy& policy;
  const OutputOptions& output;
  std::string state;
};

bool is_fabric_member();  // this process is the member, not the one that was started

// Starts the member with the same arguments, leads at index 0, and ends with the member's exit code.
ExitCode serve_fabric_stage(const FabricRequest& request, const std::vector<std::string>& arguments);

struct FabricResult {
  Report report;  // with its verdict
  bool interrupted = false, witness = false;
};

// The member: `report` has tool, run and this node.
FabricResult take_part_in_fabric_stage(const FabricRequest& request, Report report);

}  // namespace mlc
