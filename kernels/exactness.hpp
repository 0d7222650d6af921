// Why a right library's result cannot be called wrong: how far contributions may go, and what holds of their
// reduction, for every format, operator and number of ranks N. tests/unit/exactness_test.cpp folds each over
// 1 to 1,024 ranks in several orders; the argument has no largest N.
//
// Copies: no arithmetic. Minimum and maximum: comparisons only; inputs are finite and never zero
// (finite_from), so neither NaNs nor zeros of two signs come in, and the result is one input's bits.
//
// Integers: sums and products are taken modulo 2^width, a commutative ring, so any order gives the same bits.
// 8-bit sums stay within their range as well, for Open MPI's vector code saturates them. The average is the
// sum over N as C divides: a function of the sum.
//
// Products of floats: one rank has a mantissa, 1.m x 2^e with e in [-2, 1]; two may have a factor of 2, all
// others are +-1. A partial product is +-2^k or +-1.m x 2^k with k in [-2, 2], normal in every format (E4M3
// from -6 to 8) whatever N: no step rounds.
//
// Sums of floats: let B = 2^p, p the bits of the significand, and A the ranks that contribute: N, or B / 2
// where N is more; so 2 A <= B. Others send +-1..q with q <= B / 2 A, the target is +-1..y, and the closing
// rank sends what is missing, at most y + (A - 1) q. sum_range() takes y <= B - 2 (A - 1) q, which leaves
// B / A >= 2 at the least. All magnitudes together are then at most y + 2 (A - 1) q <= B, and so is any
// partial sum: an integer of at most B times the block's power of two, which the format has exactly. No step
// rounds, in any order or tree, in this precision or a higher one.
//
// Averages of floats: NCCL (src/enqueue.cc, hostToDevRedOp) multiplies each contribution by s, which is 1/N
// rounded to the format, rounds the product, and adds; our own backends add, then multiply by the same s.
// Only two ranks send something, of one sign: x = +-1..2^(p-2) times 2^e, e >= 0. Let V = (x1 + x2) s, and r
// the rounding; r(V) is expected.
// - N a power of two: s = 2^-k is a multiple of the format's least value and x1, x2 are integers, so that
//   products and sum are exact. Tolerance 0.
// - Any other N: x1 + x2 is exact, so adding first gives r(V). Scaling first gives r(r(x1 s) + r(x2 s)). With
//   u the unit in the last place at V, each product is at most V and rounded by at most u / 2, their sum is
//   within u of V, and r is monotone: the result is between r(V - u) and r(V + u). That is at most one
//   representable value above r(V) and two below (where V - u lies in the next binade, whose unit is u / 2).
//   Tolerance 2, whatever N.
// - Where s is normal (N up to 2^(bias - 1): 64 for E4M3, 16,384 for E5M2 and half) the true quotient is
//   within 2^-p V <= u of V, and accepted as well. Beyond, s is off by more (by 20 % for E4M3 and 205 ranks):
//   there NCCL's definition is the one that holds.
// - Where s rounds to zero (E4M3 from 1,024 ranks on, E5M2 from 131,072) the average is zero whatever was
//   sent. That proves nothing: engine/sweep.cpp refuses it.
#pragma once

#include "kernels/number_format.hpp"

namespace mlc::pattern {

enum class Op : std::uint8_t { copy, sum, prod, min, max, avg };

MLC_HD constexpr std::uint64_t floor_power_of_two(std::uint64_t x) {
  std::uint64_t power = 1;
  while (power <= x / 2)
    power *= 2;
  return power;
}

// Sums and averages whose magnitudes are budgeted: floats, so that every partial sum is exact, and 8-bit
// integers, so that none overflows (Open MPI's vector code saturates 8-bit sums where scalar code wraps;
// wider integers wrap everywhere).
template <class F, Op op>
inline constexpr bool budgeted = (op == Op::sum || op == Op::avg) && (F::floating || F::width == 1);

// How far the magnitudes of a budgeted sum may go.
template <class F>
struct SumRange {
  std::uint32_t active = 0;  // A: ranks that contribute, closer included; fewer than N only where B < 2 N
  typename F::Wide other_mask = 0, target_mask = 0;
  typename F::Wide target_offset = 0;  // unsigned: the target is at least what the others may add up to
};

template <class F>
MLC_HD constexpr SumRange<F> sum_range(std::uint32_t ranks) {
  using Wide = typename F::Wide;
  const std::uint64_t budget = std::uint64_t{1} << F::significand_bits;
  const bool all = 2 * static_cast<std::uint64_t>(ranks) <= budget;
  const std::uint64_t active = all ? ranks : budget / 2;
  const std::uint64_t q = all ? floor_power_of_two(budget / (2 * static_cast<std::uint64_t>(ranks))) : 1;
  const std::uint64_t others = (active - 1) * q;
  const std::uint64_t y = floor_power_of_two(budget - (F::is_signed ? 2 : 1) * others);
  return {static_cast<std::uint32_t>(active), static_cast<Wide>(q - 1), static_cast<Wide>(y - 1),
          static_cast<Wide>(F::is_signed ? 0 : others)};
}

// Averages: two contributions of one sign.
template <class F>
MLC_HD constexpr SumRange<F> average_range(std::uint32_t ranks) {
  using Wide = typename F::Wide;
  const auto quarter = static_cast<Wide>(Wide{1} << (F::significand_bits - 2));
  return {ranks < 2 ? ranks : 2, static_cast<Wide>(quarter - 1), static_cast<Wide>(quarter - 1), 0};
}

MLC_HD constexpr bool power_of_two(std::uint32_t n) { return (n & (n - 1)) == 0; }

// What an average multiplies by, as NCCL has it: 1/N, in single precision but for doubles, rounded to the
// format. Zero where 1/N is less than half of the format's least value.
template <class F>
MLC_HD constexpr double average_scale(std::uint32_t ranks) {
  const double exact = 1.0 / ranks;
  if constexpr (F::width == 8)
    return exact;
  else
    return decode<F>(round_from<F>(static_cast<double>(static_cast<float>(exact))));
}

// The common power of two of a block, in a range that keeps sums finite and single values normal.
template <class F>
MLC_HD constexpr int block_exponent(std::uint64_t key, Op op) {
  // Highest: 2^significand_bits x 2^high is below the largest finite value. Lowest: 1 x 2^low is normal;
  // averages are of integers, as the proof above wants it.
  if constexpr (!F::floating) {
    return 0;
  } else {
    constexpr int high = F::bias - F::significand_bits < 32 ? F::bias - F::significand_bits : 32;
    constexpr int low = 1 - F::bias > -32 ? 1 - F::bias : -32;
    static_assert(high >= 0);
    const int from = op == Op::avg ? 0 : low;
    const auto span = static_cast<std::uint32_t>(high - from + 1);
    return from + static_cast<int>((key >> 40 & 0xffff) * span >> 16);
  }
}

// Distance of two results in units of the last place; 0 only for equal bits.
template <class F>
MLC_HD constexpr std::uint64_t distance(typename F::Bits a, typename F::Bits b) {
  const auto x = static_cast<std::uint64_t>(order_key<F>(a)), y = static_cast<std::uint64_t>(order_key<F>(b));
  return x > y ? x - y : y - x;
}

// How far a right result may be from the expected bits.
template <class F, Op op>
MLC_HD constexpr std::uint64_t tolerance(std::uint32_t ranks) {
  return op == Op::avg && F::floating && !power_of_two(ranks) ? 2 : 0;
}

}  // namespace mlc::pattern
