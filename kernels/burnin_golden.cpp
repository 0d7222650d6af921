// Golden values of the burn-in's data, as pattern_golden.cpp has them for the collectives': compiled by the
// host's compiler and by nvcc. tests/unit/burnin_reference.py computes them by its own arithmetic.
#include "kernels/atomics.hpp"
#include "kernels/gemm_data.hpp"
#include "kernels/hbm.hpp"
#include "kernels/memory_pattern.hpp"
#include "kernels/tile.hpp"

namespace mlc {

namespace memory {

#include "kernels/burnin_golden.inc"

}  // namespace memory

// 2619 MHz and 5120 bits: 3.352 TB/s, an H100 SXM.
static_assert(hbm::theoretical(2619e6, 5120) == 3352.32e9);
static_assert(hbm::part_bytes(hbm::Operation::triad, 1 << 30) % 4096 == 0);
static_assert(hbm::bytes_moved(hbm::Operation::copy, 1 << 30) == 1 << 30);

// The largest sum of a tile is exact in single precision.
static_assert(tile::depth * 64 * tile::most_rounds < 1 << 24);
static_assert(gemm::normal_like(0) < -3.4 && gemm::normal_like(~std::uint64_t{0}) > 3.4);

}  // namespace mlc
