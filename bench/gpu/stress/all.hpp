// The tests of the burn-in, in the order they run.
#pragma once

#include <string_view>
#include <vector>

#include "bench/gpu/burnin.hpp"

namespace mlc {

const std::vector<const GpuTest*>& all_gpu_tests();
const GpuTest* find_gpu_test(std::string_view name);

}  // namespace mlc
