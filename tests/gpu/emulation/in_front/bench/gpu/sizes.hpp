// In front of bench/gpu/sizes.hpp for emulated GPUs of a few MiB: the same work, less of it.
#pragma once

#include <cstdint>

#include "kernels/tile.hpp"

namespace mlc::sizes {

inline constexpr std::uint64_t large_piece = 2 << 20, small_piece = 128 << 10;
inline constexpr std::uint64_t pass = 4 << 20;
inline constexpr std::uint64_t reserve = 256 << 10;
inline constexpr std::uint64_t workspace = 16 << 10;

inline constexpr std::uint64_t copied = 256 << 10;

inline constexpr int product = 72;  // its words are no multiple of a block's threads
inline constexpr int first_products = 2, later_products = 4;

inline constexpr int tile_rounds = 2;
inline constexpr tile::Product dealt{.side = 4, .depth = 256};
inline constexpr int tile_repeats = tile::seeds, dealings = 2;
inline constexpr int launches = 200;
inline constexpr std::uint64_t adding_threads = 1 << 13;

inline constexpr double time = 0.01;
inline constexpr double warm_up = 2, longest_warm_up = 10, hold = 10;

}  // namespace mlc::sizes
