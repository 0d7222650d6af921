// The table of tests, in the order they run: bandwidth first, since the memory test is held against its copy
// rate; heat before what heat disturbs.
#include <algorithm>

#include "bench/gpu/burnin.hpp"

namespace mlc {

#define MLC_GPU_TESTS(_) \
  _(hbm_test)            \
  _(memory_test)         \
  _(gemm_test)           \
  _(sm_test)             \
  _(pulse_test)          \
  _(pcie_test)           \
  _(nvlink_test)         \
  _(launch_test)         \
  _(atomics_test)

#define MLC_DECLARE(name) extern const GpuTest name;
#define MLC_ADDRESS(name) &name,
MLC_GPU_TESTS(MLC_DECLARE)

const std::vector<const GpuTest*>& all_gpu_tests() {
  static const std::vector<const GpuTest*> table{MLC_GPU_TESTS(MLC_ADDRESS)};
  return table;
}

const GpuTest* find_gpu_test(std::string_view name) {
  const auto& all = all_gpu_tests();
  const auto found = std::ranges::find(all, name, &GpuTest::name);
  return found == all.end() ? nullptr : *found;
}

}  // namespace mlc
