// The generator, verifier and reduction operators as host loops, for buffers in host memory. The arithmetic
// is kernels/pattern.hpp's; here are only the loops, compiled for several vector widths and chosen at load
// time.
#pragma once

#include <cstdint>

#include "kernels/dtype.hpp"

namespace mlc {

// Which values a stretch of a buffer holds.
struct DataSpec {
  Dtype dtype = Dtype::float32;
  pattern::Op op = pattern::Op::copy;
  pattern::Recipe recipe;
  std::uint32_t source =
      0;  // fill: the contributing rank; verify: the rank a copy came from (reductions ignore it)
  std::uint64_t index = 0;  // stream index of the stretch's first element
};

struct VerifyResult {
  std::uint64_t wrong = 0;                 // elements
  std::uint64_t first = 0;                 // offset of the first wrong one within the stretch
  std::uint64_t expected = 0, actual = 0;  // its bits
};

void fill(void* data, std::uint64_t count, const DataSpec& spec);
VerifyResult verify(const void* data, std::uint64_t count, const DataSpec& spec);

// inout[i] = in[i] (op) inout[i]; avg adds. Small floats are combined in single precision and rounded to
// nearest even.
void reduce_into(void* inout, const void* in, std::uint64_t count, Dtype dtype, Redop redop);

// The second half of an average: sums times average_scale() (exactness.hpp); integers over `ranks`,
// truncated.
void average(void* sums, std::uint64_t count, Dtype dtype, int ranks);

}  // namespace mlc
