// How much the burn-in does to a GPU. The emulated GPUs of the tests have a smaller file of this name in
// front of this one (tests/gpu/emulation/in_front): what runs is the same.
#pragma once

#include <cstdint>

#include "kernels/tile.hpp"

namespace mlc::sizes {

// Memory is taken in these pieces, so that bandwidth is that of HBM and not of caches.
inline constexpr std::uint64_t large_piece = 1 << 30, small_piece = 2 << 20;
inline constexpr std::uint64_t pass = std::uint64_t{4}
                                      << 30;          // of a timed pass, at least, where there is so much
inline constexpr std::uint64_t reserve = 384 << 20;   // left for cuBLAS, streams and code
inline constexpr std::uint64_t workspace = 32 << 20;  // what cuBLAS recommends for Hopper

inline constexpr std::uint64_t copied = 256 << 20;  // of one copy: far over the 50 MB of L2

inline constexpr int product = 8192;                             // m, n and k
inline constexpr int first_products = 50, later_products = 500;  // of one burst

inline constexpr int tile_rounds = tile::most_rounds;
// 275 GFLOP on 64 MiB of inputs, more than an L2 holds; what the host computes of it takes it a tenth of a
// second.
inline constexpr tile::Product dealt{.side = 64, .depth = 2048};
inline constexpr int tile_repeats = 4 * tile::seeds, dealings = 8;  // of one call
inline constexpr int launches = 2000;
inline constexpr std::uint64_t adding_threads = 1 << 20;

inline constexpr double time = 1;  // shares of a test's seconds, and of those below
inline constexpr double warm_up = 2, longest_warm_up = 10, hold = 10;

}  // namespace mlc::sizes
