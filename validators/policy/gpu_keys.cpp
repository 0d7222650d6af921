#include <array>

#include "validators/policy/policy_keys.hpp"

namespace mlc {

std::span<const DescribedKey> gpu_keys() {
  static constexpr auto keys = std::to_array<DescribedKey>({
      {"gpu", "", "", "",
       "what mlc-bench gpu expects of each GPU under load; a test that is named has to be run, and what is "
       "left out is judged "
       "against the node's other GPUs"},
      {"gpu.ecc", "", "false", "true", "ECC must be on"},
      {"gpu.throttled_at_most", "a share", "1 %", "1 %",
       "of the time under heat or a power brake; more fails, less warns"},

      {"gpu.hbm", "", "", "", "memory bandwidth, as shares of what clock and bus width allow"},
      {"gpu.hbm.read_at_least", "a share", "", "90 %", "reading"},
      {"gpu.hbm.write_at_least", "a share", "", "87 %", "writing"},
      {"gpu.hbm.copy_at_least", "a share", "", "87 %", "copying"},
      {"gpu.hbm.triad_at_least", "a share", "", "90 %", "a + s x b"},
      {"gpu.hbm.below_median", "a share", "2 %", "2 %", "below the median of the node's GPUs, at most"},
      {"gpu.hbm.window_below_median", "a share", "3 %", "3 %",
       "of one window of memory below the median of its GPU's windows, at most"},

      {"gpu.memory", "", "", "", "patterns written to all memory and read back"},
      {"gpu.memory.tested_at_least", "a share", "97 %", "97 %", "of the GPU's memory"},
      {"gpu.memory.rate_of_copy_at_least", "a share", "", "85 %", "rate of the sweeps, of the copy's"},

      {"gpu.gemm", "", "", "", "matrix products, sustained"},
      {"gpu.gemm.bf16_tflop_s_at_least", "TFLOP/s", "", "620", "in bf16"},
      {"gpu.gemm.fp8_tflop_s_at_least", "TFLOP/s", "", "1200", "in fp8"},
      {"gpu.gemm.below_median", "a share", "3 %", "3 %", "below the median of the node's GPUs, at most"},
      {"gpu.gemm.per_clock_below_median", "a share", "2 %", "2 %",
       "of what is computed in a cycle, below that median, at most"},

      {"gpu.pcie", "", "", "", "copies to and from the host"},
      {"gpu.pcie.gb_s_at_least", "GB/s", "", "52", "each way alone"},
      {"gpu.pcie.below_median", "a share", "3 %", "3 %", "below the median of the node's GPUs, at most"},
      {"gpu.pcie.generation", "", "", "5", "of the link under load"},
      {"gpu.pcie.width", "lanes", "", "16", "of the link under load"},

      {"gpu.nvlink", "", "", "", "copies between each ordered pair of GPUs"},
      {"gpu.nvlink.gb_s_at_least", "GB/s", "", "360", "each pair"},
      {"gpu.nvlink.below_median", "a share", "2 %", "2 %", "below what is usual, at most"},

      {"gpu.launch", "", "", "", "starting a kernel and waiting for it"},
      {"gpu.launch.latency_us_at_most", "µs", "", "30", "median"},
      {"gpu.launch.above_median", "a share", "50 %", "50 %", "above the median of the node's GPUs, at most"},
  });
  return keys;
}

}  // namespace mlc
