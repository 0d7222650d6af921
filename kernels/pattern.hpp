// Data for collectives, generated and verified in place, bit for bit, from (seed, iteration, rank, index).
//
// Reductions use the closing-rank scheme: for each block of elements a target value is drawn, every rank but
// one contributes its own random value, and the one "closing" rank contributes what is missing. So the
// expected result is the target: verifying costs one hash a word whatever the number of ranks, and no buffer
// of expected values exists. For floating-point sums all contributions are integers times one power of two
// per block, with the sum of their magnitudes within the significand: every partial sum, in any order or
// tree, is exact, and comparison is bitwise. The proof of it for every format and operator, and what holds of
// averages: exactness.hpp.
//
// Work is in blocks of 32 words of 32 bits (128 bytes), whatever the element format; functions take a slice
// of a block, so that a host loop takes whole blocks, a GPU thread 16 bytes, and a report one element.
#pragma once

#include "kernels/exactness.hpp"

namespace mlc::pattern {

inline constexpr int words_per_block = 32;
inline constexpr std::uint32_t target_source = 0xffffffffu;  // the stream of expected values

// splitmix64's finaliser (Steele, Lea and Flood 2014) after its increment: splitmix64(0) is e220a8397b1dcdaf.
MLC_HD constexpr std::uint64_t mix64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

// Where a buffer's values come from. Equal recipes on all ranks, but for `rank` passed beside them.
struct Recipe {
  std::uint64_t seed = 0;
  std::uint32_t iteration = 0;
  std::uint32_t ranks = 1;
};

MLC_HD constexpr std::uint64_t stream_of(const Recipe& recipe, std::uint32_t source) {
  return mix64(mix64(recipe.seed) ^ (static_cast<std::uint64_t>(recipe.iteration) << 32 | source));
}

MLC_HD constexpr std::uint64_t block_key(std::uint64_t stream, std::uint64_t block) {
  return mix64(stream + block);
}

// The i-th random word of a block: a 32-bit mixer (multipliers: C. Wellons, "lowbias32"), because 32-bit
// multiplication is what both CPUs' vector units and GPUs have. Both halves of the key enter, at different
// depths.
MLC_HD constexpr std::uint32_t word(std::uint64_t key, std::uint32_t i) {
  std::uint32_t x = static_cast<std::uint32_t>(key) + i * 0x9e3779b9u;
  x = (x ^ x >> 16) * 0x7feb352du;
  x ^= static_cast<std::uint32_t>(key >> 32);
  x = (x ^ x >> 15) * 0x846ca68bu;
  return x ^ x >> 16;
}

// Random bits of the elements in `Words` words of a block, in memory order (little-endian).
template <class F, int Words>
MLC_HD constexpr void random_elements(std::uint64_t key, std::uint32_t first_word, typename F::Bits* out) {
  // Words first, then the same bytes as elements: both loops vectorise.
  struct Hashes {
    std::uint32_t at[Words];
  } hashes{};
  struct Elements {
    typename F::Bits at[Words * 4 / F::width];
  };
  for (int i = 0; i < Words; ++i)
    hashes.at[i] = word(key, first_word + static_cast<std::uint32_t>(i));
  const auto elements = std::bit_cast<Elements>(hashes);
  for (int i = 0; i < Words * 4 / F::width; ++i)
    out[i] = elements.at[i];
}

// Elements in a slice of Words words.
template <class F, int Words>
inline constexpr int elements_in = Words * 4 / F::width;

template <class F>
inline constexpr int elements_per_block = elements_in<F, words_per_block>;

MLC_HD constexpr std::uint32_t closing_rank(std::uint64_t key, std::uint32_t ranks) {
  return static_cast<std::uint32_t>((key & 0xffffffffu) * ranks >> 32);
}

// Place of a rank after the closer: 0 is the closer itself.
MLC_HD constexpr std::uint32_t place_of(std::uint32_t rank, std::uint32_t closer, std::uint32_t ranks) {
  return rank >= closer ? rank - closer : rank + ranks - closer;
}

// +-(1 + low bits), the sign from the top bit (unsigned: none); without a branch, for vectorisation.
template <class F>
MLC_HD constexpr typename F::Wide signed_magnitude(typename F::Bits u, typename F::Wide mask) {
  using Wide = typename F::Wide;
  const auto magnitude = static_cast<Wide>(1 + (static_cast<Wide>(u) & mask));
  const auto minus =
      static_cast<Wide>(F::is_signed ? -static_cast<Wide>(u >> (8 * F::width - 1)) : 0);  // 0 or all ones
  return static_cast<Wide>((magnitude ^ minus) - minus);
}

// A finite normal value of either sign from random bits: the exponent field is halved and raised by one.
template <class F>
MLC_HD constexpr typename F::Bits finite_from(typename F::Bits u) {
  using Bits = typename F::Bits;
  if constexpr (!F::floating) {
    return u;
  } else {
    const auto magnitude = static_cast<Bits>(u & static_cast<Bits>(~F::sign_bit));
    const auto field = static_cast<Bits>((magnitude >> (F::mantissa_bits + 1)) + 1);
    return static_cast<Bits>((u & F::sign_bit) | static_cast<Bits>(field << F::mantissa_bits) |
                             (u & F::mantissa_mask));
  }
}

template <class F>
MLC_HD constexpr typename F::Bits smaller(typename F::Bits a, typename F::Bits b) {
  return order_key<F>(a) < order_key<F>(b) ? a : b;
}
template <class F>
MLC_HD constexpr typename F::Bits larger(typename F::Bits a, typename F::Bits b) {
  return order_key<F>(a) < order_key<F>(b) ? b : a;
}

// +-1.m x 2^exponent from the sign and mantissa bits of u.
template <class F>
MLC_HD constexpr typename F::Bits with_exponent(typename F::Bits u, int exponent) {
  using Bits = typename F::Bits;
  const auto field = static_cast<Bits>(static_cast<Bits>(exponent + F::bias) << F::mantissa_bits);
  return static_cast<Bits>((u & (F::sign_bit | F::mantissa_mask)) | field);
}

// Inverse of an odd word modulo its width, by Newton's iteration (each step doubles the correct bits, from
// 3).
template <class Bits>
MLC_HD constexpr Bits inverse_of_odd(Bits odd) {
  std::uint64_t x = odd;
  for (int i = 0; i < 5; ++i)
    x *= 2 - static_cast<std::uint64_t>(odd) * x;
  return static_cast<Bits>(x);
}

// Products of floats: only the closer has a mantissa, two ranks after it may carry a factor of two, the rest
// are +-1.
inline constexpr std::uint32_t doubling_places = 2;

struct Nothing {};

// What is the same for all elements of a buffer, worked out once.
template <class F, Op op>
struct Plan {
  Recipe recipe;
  std::uint64_t target_stream;
  [[no_unique_address]] std::conditional_t<budgeted<F, op>, SumRange<F>, Nothing> range{};

  MLC_HD constexpr explicit Plan(const Recipe& of) : recipe(of), target_stream(stream_of(of, target_source)) {
    if constexpr (budgeted<F, op>)
      range = op == Op::avg && F::floating ? average_range<F>(of.ranks) : sum_range<F>(of.ranks);
  }
};

// What `rank` contributes to the elements in `Words` words of a block, from `first_word` on.
template <class F, Op op, int Words>
MLC_HD constexpr void contribution(const Plan<F, op>& plan, std::uint32_t rank, std::uint64_t block,
                                   std::uint32_t first_word, typename F::Bits* out) {
  using Bits = typename F::Bits;
  const Recipe& recipe = plan.recipe;
  constexpr int n = elements_in<F, Words>;
  if constexpr (op == Op::copy) {
    random_elements<F, Words>(block_key(stream_of(recipe, rank), block), first_word, out);
  } else {
    const std::uint64_t key = block_key(plan.target_stream, block);
    const std::uint32_t closer = closing_rank(key, recipe.ranks);
    const std::uint32_t place = place_of(rank, closer, recipe.ranks);
    const auto other_key = [&](std::uint32_t at) {
      const std::uint32_t who = closer + at < recipe.ranks ? closer + at : closer + at - recipe.ranks;
      return block_key(stream_of(recipe, who), block);
    };
    Bits u[n]{};
    random_elements<F, Words>(place == 0 ? key : other_key(place), first_word, u);

    if constexpr (op == Op::min || op == Op::max) {
      // The closer holds the target; nobody else passes it.
      Bits target[n]{};
      random_elements<F, Words>(key, first_word, target);
      for (int i = 0; i < n; ++i) {
        const Bits t = finite_from<F>(target[i]), v = finite_from<F>(u[i]);
        out[i] = op == Op::min ? larger<F>(t, v) : smaller<F>(t, v);
      }
    } else if constexpr (!F::floating && !budgeted<F, op>) {
      if constexpr (op == Op::prod)
        for (int i = 0; i < n; ++i)
          u[i] |= 1;  // odd factors can be divided out again and never make a zero
      for (int i = 0; i < n; ++i)
        out[i] = u[i];
      if (place == 0)
        for (std::uint32_t at = 1; at < recipe.ranks; ++at) {
          random_elements<F, Words>(other_key(at), first_word, u);
          for (int i = 0; i < n; ++i) {
            if constexpr (op == Op::prod)
              out[i] = static_cast<Bits>(static_cast<std::uint64_t>(out[i]) *
                                         inverse_of_odd(static_cast<Bits>(u[i] | 1)));
            else
              out[i] = static_cast<Bits>(out[i] - u[i]);
          }
        }
    } else if constexpr (op == Op::prod) {
      if (place > 0) {
        const bool doubles = place <= doubling_places;
        for (int i = 0; i < n; ++i) {
          const auto one = static_cast<Bits>(u[i] & F::sign_bit);
          out[i] = with_exponent<F>(one, doubles ? static_cast<int>(u[i] & 1) : 0);
        }
      } else {
        int exponent[n]{};
        for (int i = 0; i < n; ++i)
          exponent[i] = static_cast<int>(u[i] & 1), out[i] = u[i];
        for (std::uint32_t at = 1; at < recipe.ranks; ++at) {
          random_elements<F, Words>(other_key(at), first_word, u);
          for (int i = 0; i < n; ++i) {
            out[i] = static_cast<Bits>(out[i] ^ (u[i] & F::sign_bit));
            if (at <= doubling_places) exponent[i] -= static_cast<int>(u[i] & 1);
          }
        }
        for (int i = 0; i < n; ++i)
          out[i] = with_exponent<F>(out[i], exponent[i]);
      }
    } else {
      using Wide = typename F::Wide;
      const auto& range = plan.range;
      const int exponent = block_exponent<F>(key, op);
      if (place >= range.active) {
        for (int i = 0; i < n; ++i)
          out[i] = 0;
      } else if constexpr (op == Op::avg && F::floating) {
        // Both active ranks take the sign of the target.
        Bits target[n]{};
        random_elements<F, Words>(key, first_word, target);
        const Wide mask = place == 0 ? range.target_mask : range.other_mask;
        for (int i = 0; i < n; ++i) {
          const auto signed_u =
              static_cast<Bits>((u[i] & static_cast<Bits>(~F::sign_bit)) | (target[i] & F::sign_bit));
          out[i] = encode_exact<F>(signed_magnitude<F>(signed_u, mask), exponent);
        }
      } else {
        Wide m[n]{};
        for (int i = 0; i < n; ++i)
          m[i] =
              static_cast<Wide>(signed_magnitude<F>(u[i], place == 0 ? range.target_mask : range.other_mask) +
                                (place == 0 ? range.target_offset : 0));
        if (place == 0)
          for (std::uint32_t at = 1; at < range.active; ++at) {
            random_elements<F, Words>(other_key(at), first_word, u);
            for (int i = 0; i < n; ++i)
              m[i] -= signed_magnitude<F>(u[i], range.other_mask);
          }
        for (int i = 0; i < n; ++i)
          out[i] = encode_exact<F>(m[i], exponent);
      }
    }
  }
}

// What the reduction over all ranks must give, to within tolerance() of its bits (exactness.hpp). For op
// copy, what `source` sent.
template <class F, Op op, int Words>
MLC_HD constexpr void expectation(const Plan<F, op>& plan, std::uint32_t source, std::uint64_t block,
                                  std::uint32_t first_word, typename F::Bits* out) {
  using Bits = typename F::Bits;
  const Recipe& recipe = plan.recipe;
  constexpr int n = elements_in<F, Words>;
  if constexpr (op == Op::copy) {
    contribution<F, Op::copy, Words>(plan, source, block, first_word, out);
  } else {
    const std::uint64_t key = block_key(plan.target_stream, block);
    random_elements<F, Words>(key, first_word, out);
    if constexpr (op == Op::min || op == Op::max) {
      for (int i = 0; i < n; ++i)
        out[i] = finite_from<F>(out[i]);
    } else if constexpr (!F::floating) {
      if constexpr (op == Op::prod)
        for (int i = 0; i < n; ++i)
          out[i] |= 1;
      if constexpr (budgeted<F, op>)
        for (int i = 0; i < n; ++i)
          out[i] = static_cast<Bits>(signed_magnitude<F>(out[i], plan.range.target_mask) +
                                     plan.range.target_offset);
      if constexpr (op == Op::avg)
        for (int i = 0; i < n; ++i) {
          // The sum is modulo the width; the quotient truncates towards zero as C's does.
          if constexpr (F::is_signed) {
            using Signed = std::make_signed_t<Bits>;
            out[i] = static_cast<Bits>(static_cast<std::int64_t>(static_cast<Signed>(out[i])) /
                                       static_cast<std::int64_t>(recipe.ranks));
          } else {
            out[i] = static_cast<Bits>(out[i] / recipe.ranks);
          }
        }
    } else if constexpr (op == Op::prod) {
      for (int i = 0; i < n; ++i)
        out[i] = with_exponent<F>(out[i], static_cast<int>(out[i] & 1));
    } else if constexpr (op == Op::sum) {
      const auto& range = plan.range;
      const int exponent = block_exponent<F>(key, op);
      for (int i = 0; i < n; ++i)
        out[i] = encode_exact<F>(signed_magnitude<F>(out[i], range.target_mask), exponent);
    } else {
      const auto& range = plan.range;
      const int exponent = block_exponent<F>(key, op);
      Bits other[n]{};
      if (recipe.ranks > 1) {
        const std::uint32_t closer = closing_rank(key, recipe.ranks);
        const std::uint32_t who = closer + 1 < recipe.ranks ? closer + 1 : 0;
        random_elements<F, Words>(block_key(stream_of(recipe, who), block), first_word, other);
      }
      const bool exact = power_of_two(recipe.ranks);
      int halvings = 0;
      while ((1u << halvings) < recipe.ranks)
        ++halvings;
      double scale = average_scale<F>(recipe.ranks);
      for (int e = exponent; e > 0; --e)
        scale *= 2;
      for (int i = 0; i < n; ++i) {
        auto m =
            static_cast<typename F::Wide>(1 + (static_cast<typename F::Wide>(out[i]) & range.target_mask));
        if (recipe.ranks > 1) m += 1 + (static_cast<typename F::Wide>(other[i]) & range.other_mask);
        if ((out[i] & F::sign_bit) != 0) m = -m;
        if (exact && exponent - halvings >= 1 - F::bias)
          out[i] = encode_exact<F>(m, exponent - halvings);
        else
          out[i] = round_from<F>(static_cast<double>(m) * scale);
      }
    }
  }
}

// One element, for reports and tests.
template <class F, Op op>
MLC_HD constexpr typename F::Bits contribution_at(const Recipe& recipe, std::uint32_t rank,
                                                  std::uint64_t index) {
  constexpr int words = F::width == 8 ? 2 : 1, n = elements_in<F, words>;
  typename F::Bits out[n]{};
  const std::uint64_t in_block = index % elements_per_block<F>;
  contribution<F, op, words>(Plan<F, op>(recipe), rank, index / elements_per_block<F>,
                             static_cast<std::uint32_t>(in_block / n * words), out);
  return out[in_block % n];
}

template <class F, Op op>
MLC_HD constexpr typename F::Bits expectation_at(const Recipe& recipe, std::uint32_t source,
                                                 std::uint64_t index) {
  constexpr int words = F::width == 8 ? 2 : 1, n = elements_in<F, words>;
  typename F::Bits out[n]{};
  const std::uint64_t in_block = index % elements_per_block<F>;
  expectation<F, op, words>(Plan<F, op>(recipe), source, index / elements_per_block<F>,
                            static_cast<std::uint32_t>(in_block / n * words), out);
  return out[in_block % n];
}

}  // namespace mlc::pattern
