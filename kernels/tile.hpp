// What every SM computes: the same inputs, so the same result, bit for bit, on every SM of every GPU, and the
// same as the host's. Inputs are small integers whose sums stay below 2^24, so single-precision accumulation
// is exact in any order and on any engine.
//
// Most engines compute one tile from their own shared memory. `product` is a matrix product out of the GPU's
// memory and caches, whose tiles are dealt to the SMs anew each time: an SM that is wrong about some data
// only, or under its neighbours' load, meets all data, and a wrong input shows as a tile that is wrong on
// every SM.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>

#include "kernels/pattern.hpp"

namespace mlc::tile {

enum class Engine : std::uint8_t { tensor, fp8, fma, integer, shared, product };

inline constexpr std::array<std::pair<Engine, std::string_view>, 6> engine_names{
    {{Engine::tensor, "tensor cores"},
     {Engine::fp8, "fp8 products"},
     {Engine::fma, "FP32 units"},
     {Engine::integer, "integer units"},
     {Engine::shared, "shared memory"},
     {Engine::product, "matrix product"}}};

constexpr std::string_view to_string(Engine engine) {
  return engine_names[static_cast<std::size_t>(engine)].second;
}

// 128 x 128 results of 8 warps: each 16-bit operand that a warp loads is used two or four times.
inline constexpr int rows = 128, columns = 128, depth = 128;
inline constexpr int shared_words = 8192;      // 64 KiB of 64-bit words
inline constexpr int integer_elements = 4096;  // of a tile
inline constexpr int integer_rounds = 64;      // dependent multiplications of one element

// |a|, |b| <= 8, so |sum| <= 128 x 64 = 2^13 a round: 2^24 after 2048 rounds.
inline constexpr int most_rounds = 2047;

// The size of the matrix product: A has side x rows lines and B side x columns, of `depth` elements each.
struct Product {
  int side = 4;             // tiles of a row, and of a column: a power of two
  int depth = tile::depth;  // a multiple of a tile's, at most 2^17: the sums are exact
};

struct Spec {
  std::uint64_t seed = 0;
  int rounds = 1;  // the product is accumulated so many times, for load; at most most_rounds
  Product product{};
};

// Repeats take turns over so many different tiles.
inline constexpr int seeds = 8;
MLC_HD constexpr Spec spec_of(const Spec& spec, int repeat) {
  return {spec.seed + static_cast<std::uint64_t>(repeat % seeds), spec.rounds, spec.product};
}

// Rows of tiles have inputs of four kinds, and so have columns: sixteen different tiles, which the host can
// do.
inline constexpr int product_kinds = 4;
// The line of the inputs that line `line` of A or B repeats.
MLC_HD constexpr int product_line(int line) { return line % (product_kinds * rows); }
static_assert(rows == columns);
// The tile of block `block` in launch `launch`: an odd step through a power of two visits each tile once.
MLC_HD constexpr std::uint32_t product_tile(std::uint32_t block, std::uint32_t launch, int side) {
  return (block * (2 * launch + 1) + launch * 37u) %
         (static_cast<std::uint32_t>(side) * static_cast<std::uint32_t>(side));
}

// -8 .. 7, from four bits of a hash; element (row, k) of A, (column, k) of B.
MLC_HD constexpr int small(std::uint64_t seed, int matrix, int line, int k) {
  // Mixed twice: were seed and k in one word, two seeds would have the same terms in another order, and the
  // same sum.
  const std::uint64_t stream = pattern::mix64(
      pattern::mix64(seed) ^ static_cast<std::uint64_t>(matrix) << 60 ^ static_cast<std::uint64_t>(line));
  const std::uint64_t h = pattern::mix64(stream + static_cast<std::uint64_t>(k / 16));
  return static_cast<int>(h >> (k % 16 * 4) & 15) - 8;
}
MLC_HD constexpr int input_a(const Spec& spec, int row, int k) { return small(spec.seed, 0, row, k); }
MLC_HD constexpr int input_b(const Spec& spec, int column, int k) { return small(spec.seed, 1, column, k); }
// Half of them for fp8, -4 .. 3, whose tensor cores keep fewer bits of a sum (about 14 on Hopper: the
// DeepSeek-V3 report, section 3.3.2): 128 x 16 = 2^11 is exact there. Each round's sum is then added in
// single precision.
MLC_HD constexpr int fp8_input(int value) { return value >> 1; }
// Its bits in e4m3: -4 .. 3 are 1, 1.5 or 1 times a power of two.
MLC_HD constexpr std::uint8_t e4m3(int value) {
  const int magnitude = value < 0 ? -value : value;
  const int bits = magnitude == 0   ? 0
                   : magnitude == 1 ? 0x38
                   : magnitude == 2 ? 0x40
                   : magnitude == 3 ? 0x44
                                    : 0x48;
  return static_cast<std::uint8_t>(bits | (value < 0 ? 0x80 : 0));
}

MLC_HD constexpr std::uint64_t integer_element(const Spec& spec, int index) {
  std::uint64_t x = spec.seed + static_cast<std::uint64_t>(index);
  for (int i = 0; i < integer_rounds * spec.rounds; ++i)
    x = pattern::mix64(x);
  return x;
}

MLC_HD constexpr std::uint64_t shared_element(const Spec& spec, int index) {
  return pattern::mix64(pattern::mix64(spec.seed) + static_cast<std::uint64_t>(index));
}

// Sum and exclusive or of the mixed elements: the same in any order; one wrong bit changes both.
struct Digest {
  std::uint64_t sum = 0, parity = 0;
  bool operator==(const Digest&) const = default;
  MLC_HD constexpr void add(std::uint64_t index, std::uint64_t bits) {
    const std::uint64_t mixed = pattern::mix64(pattern::mix64(index) ^ bits);
    sum += mixed, parity ^= mixed;
  }
};

// What one SM found.
struct Result {
  std::uint32_t sm = 0;
  std::uint32_t tile = 0;  // of the matrix product; else the repeat
  Digest digest;
};

// How many different tiles an engine computes, and which of them a result is.
constexpr int kinds(Engine engine) {
  return engine == Engine::product ? product_kinds * product_kinds : seeds;
}
constexpr int kind_of(Engine engine, const Spec& spec, std::uint32_t tile) {
  if (engine != Engine::product) return static_cast<int>(tile) % seeds;
  const int row = static_cast<int>(tile) / spec.product.side,
            column = static_cast<int>(tile) % spec.product.side;
  return row % product_kinds * product_kinds + column % product_kinds;
}

// What every SM must find for a tile of this kind. Tensor cores and FP32 units compute the same product.
Digest golden(Engine engine, const Spec& spec, int kind);

}  // namespace mlc::tile
