// In front of kernels/ptx.cuh: what its instructions do.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "tests/gpu/emulation/simt.hpp"

namespace mlc {

inline std::uint32_t this_sm() { return emulation::sm(); }

namespace emulated {

inline float e4m3(std::uint8_t bits) {
  static const auto values = [] {
    std::array<float, 256> all{};
    for (unsigned i = 0; i < 256; ++i) {
      const int exponent = static_cast<int>(i >> 3 & 15);
      const float mantissa = static_cast<float>(i & 7) / 8;
      all[i] = (i & 0x80 ? -1.0f : 1.0f) *
               (exponent == 0 ? std::ldexp(mantissa, -6) : std::ldexp(1 + mantissa, exponent - 7));
    }
    return all;
  }();
  return values[bits];
}

}  // namespace emulated

// Each lane gets what it needs of the others' elements and computes its own four results. Element i of a
// lane: PTX ISA, figures of "Matrix fragments for mma.m16n8k32".
inline void multiply_e4m3(float (&sum)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  const unsigned lane = emulation::thread_index.x % 32, group = lane / 4, quad = lane % 4;
  float left[2][32], right[2][32];  // two rows of A, two columns of B
  const std::uint64_t given[3] = {a[0] | static_cast<std::uint64_t>(a[1]) << 32,
                                  a[2] | static_cast<std::uint64_t>(a[3]) << 32,
                                  b[0] | static_cast<std::uint64_t>(b[1]) << 32};
  for (unsigned part = 0; part < 3; ++part) {
    const std::uint64_t* const all = emulation::exchange(0xffffffffu, given[part]);
    for (unsigned i = 0; i < 8; ++i)
      for (unsigned other = 0; other < 4; ++other) {
        const auto element = [&](unsigned of) {
          return emulated::e4m3(static_cast<std::uint8_t>(all[of] >> i * 8));
        };
        if (part < 2) {
          left[i / 4][other * 4 + i % 4 + part * 16] = element(group * 4 + other);
        } else {
          for (unsigned column = 0; column < 2; ++column)
            right[column][other * 4 + i % 4 + i / 4 * 16] = element((quad * 2 + column) * 4 + other);
        }
      }
  }
  for (unsigned i = 0; i < 4; ++i)
    for (unsigned k = 0; k < 32; ++k)
      sum[i] += left[i / 2][k] * right[i % 2][k];
  if (emulation::sm_is_broken() && lane == 0) sum[1] += 1;
}

}  // namespace mlc
