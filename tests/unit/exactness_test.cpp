// The claims of kernels/exactness.hpp, by brute force: every format and operator over 1 to 1,024 ranks.
#include "kernels/exactness.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "kernels/expected_sum.hpp"
#include "kernels/host_pattern.hpp"

namespace mlc {
namespace {

using pattern::Op;
using pattern::Recipe;

constexpr std::uint32_t most_ranks = 1024;

template <class F>
using Bits = typename F::Bits;

// One step of a reduction as a library does it: in the format, rounding.
template <class F, Op op>
Bits<F> step(Bits<F> a, Bits<F> b) {
  if constexpr (!F::floating)
    return static_cast<Bits<F>>(op == Op::prod ? static_cast<std::uint64_t>(a) * b
                                               : static_cast<std::uint64_t>(a) + b);
  else
    return pattern::round_from<F>(op == Op::prod ? pattern::decode<F>(a) * pattern::decode<F>(b)
                                                 : pattern::decode<F>(a) + pattern::decode<F>(b));
}

template <class F, Op op>
Bits<F> in_rank_order(const std::vector<Bits<F>>& parts) {
  Bits<F> result = parts.front();
  for (std::size_t i = 1; i < parts.size(); ++i)
    result = step<F, op>(result, parts[i]);
  return result;
}

template <class F, Op op>
Bits<F> in_a_random_tree(std::vector<Bits<F>> parts, std::mt19937_64& random) {
  while (parts.size() > 1) {
    std::swap(parts[random() % parts.size()], parts.back());
    const Bits<F> x = parts.back();
    parts.pop_back();
    Bits<F>& y = parts[random() % parts.size()];
    y = step<F, op>(x, y);
  }
  return parts.front();
}

// 64-bit integers compare as such: a double would not tell neighbours apart.
template <class F, Op op>
Bits<F> least_or_most(const std::vector<Bits<F>>& parts) {
  Bits<F> result = parts.front();
  for (const Bits<F> part : parts)
    result = op == Op::min ? pattern::smaller<F>(part, result) : pattern::larger<F>(part, result);
  return result;
}

template <class F>
Bits<F> scaled(Bits<F> bits, std::uint32_t ranks) {
  return pattern::round_from<F>(pattern::decode<F>(bits) * pattern::average_scale<F>(ranks));
}

// Empty where the fold is what is expected; else which order was not.
template <class F, Op op>
std::string fold(std::uint32_t ranks, std::uint64_t index, std::mt19937_64& random) {
  const Recipe recipe{11, ranks, ranks};
  std::vector<Bits<F>> parts;
  for (std::uint32_t rank = 0; rank < ranks; ++rank)
    parts.push_back(pattern::contribution_at<F, op>(recipe, rank, index));
  const Bits<F> expected = pattern::expectation_at<F, op>(recipe, 0, index);
  const auto right = [&](Bits<F> result) {
    return pattern::distance<F>(result, expected) <= pattern::tolerance<F, op>(ranks);
  };
  if constexpr (op == Op::min || op == Op::max) {
    return right(least_or_most<F, op>(parts)) ? "" : "min or max";
  } else if constexpr (op != Op::avg) {
    if (!right(in_rank_order<F, op>(parts))) return "in rank order";
    return right(in_a_random_tree<F, op>(parts, random)) ? "" : "in a random tree";
  } else {
    // Of integers, OfOurOwnAverages below.
    if constexpr (F::floating) {
      if (!right(scaled<F>(in_rank_order<F, Op::sum>(parts), ranks))) return "added, then scaled";
      std::vector<Bits<F>> products;
      for (const Bits<F> part : parts)
        products.push_back(scaled<F>(part, ranks));
      return right(in_a_random_tree<F, Op::sum>(products, random)) ? "" : "scaled, then added";
    } else {
      return {};
    }
  }
}

class Exactness : public testing::TestWithParam<DtypeName> {};

TEST_P(Exactness, OfEveryOperatorOverEveryNumberOfRanks) {
  const Dtype dtype = GetParam().dtype;
  std::mt19937_64 random(7);
  for (Op op : {Op::sum, Op::prod, Op::min, Op::max, Op::avg})
    for (std::uint32_t ranks = 1; ranks <= most_ranks; ++ranks) {
      if (op == Op::avg && average_vanishes(dtype, ranks)) continue;
      const std::uint64_t index = ranks * 1'000'003ull;
      const std::string wrong =
          with_format_and_op(dtype, op, [&]<class F, Op o>() { return fold<F, o>(ranks, index, random); });
      ASSERT_EQ(wrong, "") << to_string(dtype) << ", operator " << static_cast<int>(op) << ", " << ranks
                           << " ranks";
    }
}

// What our own backends do with the sum is what is expected, to the bit, for integers too.
TEST_P(Exactness, OfOurOwnAverages) {
  const Dtype dtype = GetParam().dtype;
  for (std::uint32_t ranks = 1; ranks <= most_ranks; ranks += 1 + ranks / 16) {
    if (average_vanishes(dtype, ranks)) continue;
    with_format(dtype, [&]<class F>() {
      const Recipe recipe{3, 5, ranks};
      for (std::uint64_t index = 0; index < 4; ++index) {
        Bits<F> sum = pattern::contribution_at<F, Op::avg>(recipe, 0, index);
        for (std::uint32_t rank = 1; rank < ranks; ++rank)
          sum = step<F, Op::sum>(sum, pattern::contribution_at<F, Op::avg>(recipe, rank, index));
        average(&sum, 1, dtype, static_cast<int>(ranks));
        ASSERT_EQ(sum, (pattern::expectation_at<F, Op::avg>(recipe, 0, index)))
            << to_string(dtype) << ", " << ranks << " ranks";
      }
    });
  }
}

// What data are verified with is what they are defined by, in whole blocks and in a GPU thread's 16 bytes.
template <class F>
std::uint64_t sums_that_differ(std::uint32_t ranks) {
  constexpr int n = pattern::elements_per_block<F>, words = 4, part = pattern::elements_in<F, words>;
  std::uint64_t differ = 0;
  const pattern::Plan<F, Op::sum> plan(Recipe{7, 3, ranks});
  for (std::uint64_t block = 0; block < 40; ++block) {
    Bits<F> defined[n]{}, made[n]{}, parts[n]{};
    pattern::expectation<F, Op::sum, pattern::words_per_block>(plan, 0, block, 0, defined);
    pattern::expected_values<F, Op::sum, pattern::words_per_block>(plan, 0, block, 0, made);
    for (std::uint32_t word = 0; word < pattern::words_per_block; word += words)
      pattern::expected_values<F, Op::sum, words>(plan, 0, block, word, parts + word / words * part);
    for (int i = 0; i < n; ++i)
      differ += made[i] != defined[i] || parts[i] != defined[i] ? 1 : 0;
  }
  return differ;
}

TEST(ExpectedSums, AreThoseOfTheDefinition) {
  for (const auto& dtype : dtype_names)
    for (std::uint32_t ranks = 1; ranks <= most_ranks; ranks = ranks < 9 ? ranks + 1 : ranks * 2 - 3)
      EXPECT_EQ((with_format_and_op(dtype.dtype, Op::sum,
                                    [&]<class F, Op op>() { return sums_that_differ<F>(ranks); })),
                0u)
          << dtype.name << " over " << ranks;
}

INSTANTIATE_TEST_SUITE_P(Dtypes, Exactness, testing::ValuesIn(dtype_names),
                         [](const auto& dtype) { return std::string(dtype.param.name); });

// Every pair of contributions that there can be, not only those that the generator drew.
template <class F>
void check_all_averages(std::uint32_t ranks, const std::vector<int>& magnitudes, int highest_exponent) {
  using pattern::decode;
  using pattern::round_from;
  const double s = pattern::average_scale<F>(ranks);
  const bool normal = s >= std::ldexp(1, 1 - F::bias);
  const std::uint64_t tolerance = pattern::tolerance<F, Op::avg>(ranks);
  for (int exponent = 0; exponent <= highest_exponent; ++exponent)
    for (const int a : magnitudes)
      for (const int b : magnitudes) {
        const double x = std::ldexp(a, exponent), y = std::ldexp(b, exponent);
        const auto expected = round_from<F>((x + y) * s);
        const auto scaled_first =
            round_from<F>(decode<F>(round_from<F>(x * s)) + decode<F>(round_from<F>(y * s)));
        ASSERT_LE(pattern::distance<F>(scaled_first, expected), tolerance)
            << ranks << " ranks, (" << a << " + " << b << ") x 2^" << exponent;
        if (normal) {
          ASSERT_LE(pattern::distance<F>(round_from<F>((x + y) / ranks), expected), tolerance);
        }
      }
}

std::vector<int> up_to(int most) {
  std::vector<int> all(static_cast<std::size_t>(most));
  std::iota(all.begin(), all.end(), 1);
  return all;
}

TEST(Averages, OfE4M3AreWithinTheirToleranceForEveryPairOverEveryNumberOfRanks) {
  for (std::uint32_t ranks = 1; ranks < most_ranks; ++ranks)
    check_all_averages<pattern::Fp8E4M3>(ranks, up_to(4), 3);
}

TEST(Averages, OfE5M2) {
  for (std::uint32_t ranks = 1; ranks <= most_ranks; ++ranks)
    check_all_averages<pattern::Fp8E5M2>(ranks, up_to(2), 12);
}

TEST(Averages, OfBfloat16) {
  for (std::uint32_t ranks = 1; ranks <= most_ranks; ranks += ranks < 64 ? 1 : 7)
    check_all_averages<pattern::Bfloat16>(ranks, up_to(64), 0);
}

TEST(Averages, OfHalfAtTheEndsOfItsRange) {
  for (std::uint32_t ranks = 1; ranks <= most_ranks; ++ranks)
    check_all_averages<pattern::Half>(ranks, {1, 2, 3, 7, 127, 128, 129, 255, 256, 257, 385, 510, 511, 512},
                                      4);
}

// 1/205 of E4M3 is 0.0039, a fifth too little: the quotient would be called wrong, or NCCL's average.
TEST(Averages, OfE4M3Over205RanksAreNccls) {
  using F = pattern::Fp8E4M3;
  EXPECT_EQ(pattern::average_scale<F>(205), 0x1p-8);
  EXPECT_EQ(pattern::average_scale<F>(204), 3 * 0x1p-9);
  EXPECT_EQ(pattern::average_scale<F>(1023), 0x1p-9);
  EXPECT_FALSE(average_vanishes(Dtype::fp8_e4m3, 1023));
  EXPECT_TRUE(average_vanishes(Dtype::fp8_e4m3, 1024));
  EXPECT_FALSE(average_vanishes(Dtype::fp8_e5m2, 131'071));
  EXPECT_TRUE(average_vanishes(Dtype::fp8_e5m2, 131'072));
  EXPECT_FALSE(average_vanishes(Dtype::half, 1 << 20));
  EXPECT_FALSE(average_vanishes(Dtype::int8, 1 << 20));
}

// The tolerance does not swallow what it is for: a rank left out shows in most elements.
TEST(Averages, WithoutOneContributionAreFoundInEveryFormat) {
  const auto share_found = [&]<class F>(std::uint32_t ranks) {
    int told = 0, all = 0;
    for (std::uint64_t index = 0; index < 2000; index += 13) {
      const Recipe recipe{5, 1, ranks};
      for (std::uint32_t rank = 0; rank < ranks && all < 400; ++rank) {
        const auto part = pattern::contribution_at<F, Op::avg>(recipe, rank, index);
        if (part == 0) continue;
        const auto expected = pattern::expectation_at<F, Op::avg>(recipe, 0, index);
        const double left =
            pattern::decode<F>(expected) - pattern::decode<F>(part) * pattern::average_scale<F>(ranks);
        ++all;
        told += pattern::distance<F>(pattern::round_from<F>(left), expected) >
                        pattern::tolerance<F, Op::avg>(ranks)
                    ? 1
                    : 0;
      }
    }
    return static_cast<double>(told) / all;
  };
  EXPECT_GE(share_found.operator()<pattern::Fp8E4M3>(205), 0.5);
  EXPECT_GE(share_found.operator()<pattern::Fp8E4M3>(1000), 0.5);
  EXPECT_GE(share_found.operator()<pattern::Fp8E5M2>(205), 0.4);
  EXPECT_GE(share_found.operator()<pattern::Bfloat16>(1000), 0.9);
  EXPECT_GE(share_found.operator()<pattern::Single>(1000), 0.99);
}

}  // namespace
}  // namespace mlc
