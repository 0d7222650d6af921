// The tile that every SM computes: the same inputs, so the same result, bit for bit, on every SM of every
// GPU, and the same as the host's. Inputs are small integers whose sums stay below 2^24, so single-precision
// accumulation is exact in any order and on any engine.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>

#include "kernels/pattern.hpp"

namespace mlc::tile {

enum class Engine : std::uint8_t { tensor, fma, integer, shared };

inline constexpr std::array<std::pair<Engine, std::string_view>, 4> engine_names{
    {{Engine::tensor, "tensor cores"},
     {Engine::fma, "FP32 units"},
     {Engine::integer, "integer units"},
     {Engine::shared, "shared memory"}}};

constexpr std::string_view to_string(Engine engine) {
  return engine_names[static_cast<std::size_t>(engine)].second;
}

inline constexpr int rows = 64, columns = 64, depth = 256;
inline constexpr int shared_words = 8192;  // 64 KiB of 64-bit words
inline constexpr int integer_rounds = 64;  // dependent multiplications of one element

// |a|, |b| <= 8, so |sum| <= 256 x 64 = 2^14 a round: 2^24 after 1024 rounds.
inline constexpr int most_rounds = 1023;

struct Spec {
  std::uint64_t seed = 0;
  int rounds = 1;  // the product is accumulated so many times, for load; at most most_rounds
};

// Repeats take turns over so many different tiles.
inline constexpr int seeds = 8;
MLC_HD constexpr Spec spec_of(const Spec& spec, int repeat) {
  return {spec.seed + static_cast<std::uint64_t>(repeat % seeds), spec.rounds};
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
  std::uint32_t repeat = 0;
  Digest digest;
};

// What every SM must find. The tensor cores and the FP32 units compute the same product.
inline Digest golden(Engine engine, const Spec& spec) {
  Digest digest;
  switch (engine) {
    case Engine::tensor:
    case Engine::fma: {
      static_assert(rows == columns);
      std::array<std::array<int, depth>, rows> a{}, b{};
      for (int line = 0; line < rows; ++line)
        for (int k = 0; k < depth; ++k)
          a[line][k] = input_a(spec, line, k), b[line][k] = input_b(spec, line, k);
      for (int row = 0; row < rows; ++row)
        for (int column = 0; column < columns; ++column) {
          int sum = 0;
          for (int k = 0; k < depth; ++k)
            sum += a[row][k] * b[column][k];
          digest.add(static_cast<std::uint64_t>(row) * static_cast<std::uint64_t>(columns) +
                         static_cast<std::uint64_t>(column),
                     std::bit_cast<std::uint32_t>(static_cast<float>(sum * spec.rounds)));
        }
      break;
    }
    case Engine::integer:
      for (int i = 0; i < rows * columns; ++i)
        digest.add(static_cast<std::uint64_t>(i), integer_element(spec, i));
      break;
    case Engine::shared:
      for (int i = 0; i < shared_words; ++i)
        digest.add(static_cast<std::uint64_t>(i), shared_element(spec, i));
      break;
  }
  return digest;
}

}  // namespace mlc::tile
