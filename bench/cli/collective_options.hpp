// What was typed after a collective's name, and what it means.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bench/cli/launches.hpp"
#include "bench/cli/measuring_options.hpp"
#include "bench/cli/nccl_tests_options.hpp"
#include "bench/cli/output_options.hpp"
#include "bench/cli/question.hpp"
#include "bench/engine/runner.hpp"
#include "bench/engine/sweep.hpp"
#include "validators/policy/policy.hpp"

namespace mlc {

struct CollectiveOptions {
  const Collective* collective = nullptr;
  // As typed; request_of() makes sense of them.
  SizeOptions sizes;
  MeasuringOptions measuring;
  LaunchOptions launches;
  NcclTestsOptions nccl_tests;
  std::string dtype = "float", redop = "sum", warmup = "auto", timeout = "60s", fault, placement = "both",
              timing = "slowest";
  int root = 0;
  std::string backend = "auto";
  int ranks = 0;  // 0: decided by the machine
  std::string hosts, hostfile, launcher = "auto";
  std::string policy = "local";
  int registration = 0, graphs = 0;  // -R, -G
  bool share_gpu = false;
  OutputOptions output;

  void add_to(CLI::App& command);
  // Ranks that were asked for, by --ranks or as nccl-tests has it; 0: decided by the machine.
  int ranks_on(int hosts) const;
};

// The same, understood and checked as far as that is possible before the ranks are known.
struct CollectiveRequest {
  SweepRequest sweep;
  bool sizes_given = false;  // else the policy's sizes are added
  RunnerOptions runner;
  Policy policy;
  bool admission = false;  // judged with the policy's time of observation
  std::string backend;
  std::vector<std::string> hosts;
  bool processes = false;  // ranks of this node, started as plain processes, not by mpirun
  double timeout_s = 60;
  int launches = 1;
};

// Throws UsageError.
CollectiveOptions in_our_words(const CollectiveOptions& typed);

// Of options in our words. Throws UsageError or PolicyError.
CollectiveRequest request_of(const CollectiveOptions& options);

// Adds the policy's sizes where the user gave none, and plans. Throws UsageError.
Sweep plan_for(const CollectiveRequest& request, const RunShape& shape);

}  // namespace mlc
