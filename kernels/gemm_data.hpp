// Inputs of the matrix products: random, near to N(0, 1). Constants or few distinct values would draw less
// power and run faster than a training step does.
#pragma once

#include "kernels/pattern.hpp"

namespace mlc::gemm {

// The sum of four uniform 16-bit values, centred and scaled to unit variance: sd of one is 65536 / sqrt(12),
// of four twice that.
MLC_HD constexpr double normal_like(std::uint64_t hash) {
  const auto sum = static_cast<std::int64_t>((hash & 0xffff) + (hash >> 16 & 0xffff) + (hash >> 32 & 0xffff) +
                                             (hash >> 48));
  return static_cast<double>(sum - 2 * 65535) * (1.7320508075688772 / 65536.0);
}

template <class F>
MLC_HD constexpr typename F::Bits input(std::uint64_t seed, std::uint64_t index) {
  return pattern::round_from<F>(normal_like(pattern::mix64(pattern::mix64(seed) + index)));
}

// 2 m n k operations, as everybody counts.
constexpr double operations(int m, int n, int k) { return 2.0 * m * n * k; }

}  // namespace mlc::gemm
