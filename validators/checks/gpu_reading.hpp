// What the GPU checks share: the reading, or the finding that says why there is none.
#pragma once

#include <functional>
#include <string>

#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

struct NodeGpus {
  GpuReading nvml;
  std::vector<std::string> on_bus;  // PCI addresses
};

// Skip on a machine without GPUs whose policy asks for none; where it asks, a failure of gpu.count and
// unknown for the others; unknown where NVML does not answer.
std::optional<NodeGpus> gpus_or_say(const Host& host, const Policy& policy, CheckFindings& findings);

// Judges each GPU by one optional fact; a GPU that does not answer is unknown.
struct GpuRule {
  std::string_view check;
  std::string fact, source, expected, remedy;
  std::function<std::optional<Status>(const GpuFacts&)> judge;  // empty: not answered
  std::function<std::string(const GpuFacts&)> shown;
};
std::vector<Finding> each_gpu(const Host& host, const Policy& policy, const GpuRule& rule);

std::string gpu_name(const GpuFacts& gpu);

}  // namespace mlc::checks
