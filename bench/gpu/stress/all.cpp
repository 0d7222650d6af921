// The table of tests, in the order they run: bandwidth first, since the memory test is held against its copy
// rate; heat before what heat disturbs.
#include "bench/gpu/stress/all.hpp"

#include <algorithm>

namespace mlc {

extern const GpuTest hbm_test, memory_test, gemm_test, sm_test, pulse_test, pcie_test, nvlink_test,
    launch_test, atomics_test;

const std::vector<const GpuTest*>& all_gpu_tests() {
  static const std::vector<const GpuTest*> tests{&hbm_test,    &memory_test, &gemm_test,
                                                 &sm_test,     &pulse_test,  &pcie_test,
                                                 &nvlink_test, &launch_test, &atomics_test};
  return tests;
}

const GpuTest* find_gpu_test(std::string_view name) {
  const auto& all = all_gpu_tests();
  const auto found = std::ranges::find(all, name, &GpuTest::name);
  return found == all.end() ? nullptr : *found;
}

}  // namespace mlc
