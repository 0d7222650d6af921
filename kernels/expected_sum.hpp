// pattern::expectation() with fewer operations where it decides how fast data are verified: floating-point
// sums. The target of a sum is +-(1 + some low bits) x 2^exponent and never zero, so that neither its sign
// nor its magnitude has to go through a signed integer. Equal to expectation() bit for bit
// (tests/unit/exactness_test.cpp).
#pragma once

#include <bit>

#include "kernels/pattern.hpp"

namespace mlc::pattern {

// Magnitude 1 to 2^(mantissa bits + 1) as exponent and mantissa, the exponent from 0 on. Between two powers
// of two that is a straight line, and the lines get flatter: so it is the least of them, in operations on
// bytes, of which a vector register holds four times as many as of the words that a conversion takes.
template <class F>
MLC_HD constexpr typename F::Bits narrow_magnitude(typename F::Bits magnitude) {
  using Bits = typename F::Bits;
  constexpr int m = F::mantissa_bits;
  auto least = static_cast<Bits>((magnitude << m) - (1 << m));
  for (int k = 1; k <= m; ++k) {
    const auto line = static_cast<Bits>((magnitude << (m - k)) + ((k - 1) << m));
    least = line < least ? line : least;
  }
  return least;
}

template <class F, Op op, int Words>
MLC_HD constexpr void expected_values(const Plan<F, op>& plan, std::uint32_t source, std::uint64_t block,
                                      std::uint32_t first_word, typename F::Bits* out) {
  using Bits = typename F::Bits;
  if constexpr (op != Op::sum || !F::floating || F::width > 4) {
    expectation<F, op, Words>(plan, source, block, first_word, out);
  } else {
    constexpr int n = elements_in<F, Words>;
    const std::uint64_t key = block_key(plan.target_stream, block);
    random_elements<F, Words>(key, first_word, out);
    const int exponent = block_exponent<F>(key, op);
    if constexpr (F::width == 1) {
      const auto mask = static_cast<Bits>(plan.range.target_mask);
      const auto base = static_cast<Bits>(static_cast<unsigned>(exponent + F::bias) << F::mantissa_bits);
      for (int i = 0; i < n; ++i) {
        const auto magnitude = static_cast<Bits>((out[i] & mask) + 1);
        out[i] = static_cast<Bits>((out[i] & F::sign_bit) |
                                   static_cast<Bits>(narrow_magnitude<F>(magnitude) + base));
      }
    } else {
      const auto mask = static_cast<std::uint32_t>(plan.range.target_mask);
      const auto base = static_cast<std::uint32_t>(exponent + F::bias - 127) << 23;
      for (int i = 0; i < n; ++i) {
        const auto magnitude = static_cast<std::int32_t>((out[i] & mask) + 1);
        const std::uint32_t bits = std::bit_cast<std::uint32_t>(static_cast<float>(magnitude)) + base;
        out[i] = static_cast<Bits>((out[i] & F::sign_bit) | bits >> (23 - F::mantissa_bits));
      }
    }
  }
}

}  // namespace mlc::pattern
