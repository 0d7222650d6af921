// The subcommands. Each adds itself to the program and, when it was the one typed, sets what to run.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "reports/record/exit_code.hpp"

namespace mlc {

struct Invocation {
  std::vector<std::string> arguments;  // as typed, without the program
  std::function<ExitCode()> run;       // set by the subcommand that was parsed
  // Throws UsageError where `run` would, of the words alone; empty: the subcommand has nothing to add.
  std::function<void()> check = [] {};
};

void add_collective_commands(CLI::App& program, Invocation& invocation);
void add_gpu_command(CLI::App& program, Invocation& invocation);
void add_rdma_command(CLI::App& program, Invocation& invocation);
void add_fleet_command(CLI::App& program, Invocation& invocation);
void add_list_command(CLI::App& program, Invocation& invocation);
void add_explain_command(CLI::App& program, Invocation& invocation);
void add_policy_command(CLI::App& program, Invocation& invocation);
void add_validate_command(CLI::App& program, Invocation& invocation);
void add_capture_command(CLI::App& program, Invocation& invocation);
void add_report_command(CLI::App& program, Invocation& invocation);
void add_compare_command(CLI::App& program, Invocation& invocation);
void add_history_command(CLI::App& program, Invocation& invocation);
void add_manifest_command(CLI::App& program, Invocation& invocation);
void add_burnin_command(CLI::App& program, Invocation& invocation);
void add_admit_command(CLI::App& program, Invocation& invocation);
void add_ipam_command(CLI::App& program, Invocation& invocation);
void add_dispatch_command(CLI::App& program, Invocation& invocation);

// The name, the options and all subcommands: what is parsed, and what --help, manual pages and completion
// show.
void describe_program(CLI::App& program, Invocation& invocation);
// Parses and runs; every error is said on stderr. What main returns.
int run_program(int argc, char** argv);

}  // namespace mlc
