// The `gpu:` section of a policy: what the burn-in expects of each GPU of a node. What is left out is judged
// against the node's other GPUs alone.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "validators/policy/yaml_reader.hpp"

namespace mlc {

struct GpuExpectation {
  std::set<std::string> tests;  // that it asks something of: "hbm", "nvlink"; each has to be run
  bool ecc = false;             // must be on

  // Shares of what the memory's clock and bus width allow
  std::optional<double> hbm_read, hbm_write, hbm_copy, hbm_triad;
  double hbm_spread = 0.02;         // below the node's median, at most
  double hbm_window_spread = 0.03;  // of one window below the median of its GPU's windows, at most

  double memory_tested = 0.97;                // share of the GPU's memory, at least
  std::optional<double> memory_rate_of_copy;  // rate of the sweeps, share of the copy's

  std::optional<double> gemm_bf16_tflop_s, gemm_fp8_tflop_s;  // sustained
  double gemm_spread = 0.03;
  double gemm_clock_spread = 0.02;  // of what is computed in a cycle of the SM clock, below the node's
                                    // median; supposed, not measured

  std::optional<double> pcie_gb_s;  // each way alone
  double pcie_spread = 0.03;
  std::optional<int> pcie_generation, pcie_width;  // under load

  std::optional<double> nvlink_gb_s;  // every ordered pair, copy engine
  double nvlink_spread = 0.02;

  std::optional<double> launch_us;  // median of launch and wait, at most
  double launch_spread = 0.5;       // above the node's median, at most

  double throttled = 0.01;  // share of the time under heat or a power brake; more fails, less warns
  bool operator==(const GpuExpectation&) const = default;
};

GpuExpectation read_gpu_expectation(YamlMap map);  // throws PolicyError

}  // namespace mlc
