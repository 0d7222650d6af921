// What a wrong element looks like: the likely kind, from the one value that is there and all that could have
// been. Pure.
#pragma once

#include <string>

#include "kernels/host_pattern.hpp"

namespace mlc {

inline constexpr std::uint8_t poison_byte =
    0xff;  // receive buffers before an operation: NaN in every float format

struct WrongElement {
  DataSpec spec;  // of the stretch it lies in; spec.index is the element's own stream index
  std::uint64_t expected = 0, actual = 0;
  std::uint64_t wrong_in_stretch = 1;
  std::uint64_t chunk = 0;  // elements of a rank's chunk, to look for data of a neighbouring chunk; 0: none
};

// "never written (still poison)", "left over from the previous iteration", "contribution of rank 2 missing",
// "contribution of rank 2 added twice", "data of rank 3 in its place", "bit 5 flipped", "bits 3, 17 flipped",
// "not a number", "unexplained (xor 0x1a2b)".
std::string likely_kind(const WrongElement& element);

// "0.375 (0x3ec00000)"
std::string value_and_bits(Dtype dtype, std::uint64_t bits);

}  // namespace mlc
