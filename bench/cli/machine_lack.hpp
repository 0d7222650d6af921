// What a command names and the machine does not have: its GPUs, a library, a device. That is no wrong command
// line.
#pragma once

#include <string>
#include <vector>

#include "bench/cli/output_options.hpp"
#include "reports/record/exit_code.hpp"
#include "validators/policy/policy.hpp"

namespace mlc {

struct MachineLack {
  std::string what;      // "backend nccl", "GPUs"
  std::string why;       // "no CUDA-capable device is detected"
  std::string required;  // by the policy, in its words; empty where it does not require it
  bool machines = true;  // else the program was built without it, which is not the node's fault
  std::string remedy;
};

// A node that lacks what the policy requires fails, and the report says so. Else the tool could not do its
// work: throws BackendError (exit 3).
ExitCode report_lack(const MachineLack& lack, const Policy& policy, const OutputOptions& output,
                     const std::vector<std::string>& arguments);

}  // namespace mlc
