// The atomics test: many threads add what they must, at one address, at one a warp, and spread out; the sums
// are known exactly.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "kernels/number_format.hpp"

namespace mlc::atomics {

enum class Spread : std::uint8_t { one_address, one_a_warp, spread };

inline constexpr std::array<std::pair<Spread, std::string_view>, 3> spread_names{
    {{Spread::one_address, "one-address"}, {Spread::one_a_warp, "one-a-warp"}, {Spread::spread, "spread"}}};

constexpr std::string_view to_string(Spread spread) {
  return spread_names[static_cast<std::size_t>(spread)].second;
}

inline constexpr int counters = 1024;  // of each type

struct Counters {
  std::uint32_t u32[counters];
  unsigned long long u64[counters];
  float f32[counters];
};

MLC_HD constexpr int counter_of(Spread spread, std::uint64_t thread) {
  switch (spread) {
    case Spread::one_address:
      return 0;
    case Spread::one_a_warp:
      return static_cast<int>(thread / 32 % counters);
    case Spread::spread:
      return static_cast<int>(thread % counters);
  }
  return 0;
}

// What a thread adds: u32 wraps; u64 carries into its upper half; f32 stays an integer below 2^24 in every
// counter.
MLC_HD constexpr std::uint32_t addend_u32(std::uint64_t thread) {
  return static_cast<std::uint32_t>(thread * 2654435761u + 1);
}
MLC_HD constexpr unsigned long long addend_u64(std::uint64_t thread) {
  return (thread + 1) << 20 | (thread & 0xfffff);
}
MLC_HD constexpr float addend_f32(std::uint64_t thread) { return static_cast<float>(thread % 4); }

inline constexpr std::uint64_t most_threads = 1 << 22;  // 4 Mi x 3 < 2^24

// What the counters must hold after one pass of `threads` threads over zeroed counters.
constexpr void expected(Spread spread, std::uint64_t threads, Counters& counters_out) {
  counters_out = {};
  for (std::uint64_t t = 0; t < threads; ++t) {
    const int c = counter_of(spread, t);
    counters_out.u32[c] += addend_u32(t);
    counters_out.u64[c] += addend_u64(t);
    counters_out.f32[c] += addend_f32(t);
  }
}

// Counters of any type that differ.
constexpr int differing(const Counters& a, const Counters& b) {
  int wrong = 0;
  for (int c = 0; c < counters; ++c)
    wrong += (a.u32[c] != b.u32[c]) + (a.u64[c] != b.u64[c]) + (a.f32[c] != b.f32[c]);
  return wrong;
}

}  // namespace mlc::atomics
