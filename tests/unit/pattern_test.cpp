#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "bench/engine/mismatch.hpp"
#include "kernels/host_pattern.hpp"

namespace mlc {
namespace {

using pattern::Op;
using pattern::Recipe;

template <class F>
class SumOf : public testing::Test {};
using FloatFormats = testing::Types<pattern::Single, pattern::Half, pattern::Bfloat16, pattern::Double,
                                    pattern::Fp8E4M3, pattern::Fp8E5M2>;
TYPED_TEST_SUITE(SumOf, FloatFormats);

// Adds in a random tree, rounding every partial sum to the format: exactness must not depend on the order.
template <class F>
typename F::Bits sum_in_random_order(std::vector<typename F::Bits> parts, std::mt19937_64& random) {
  while (parts.size() > 1) {
    const std::size_t a = random() % parts.size();
    std::swap(parts[a], parts.back());
    const auto x = parts.back();
    parts.pop_back();
    auto& y = parts[random() % parts.size()];
    y = pattern::round_from<F>(pattern::decode<F>(x) + pattern::decode<F>(y));
  }
  return parts.front();
}

TYPED_TEST(SumOf, ContributionsIsExactInAnyOrderForAnyNumberOfRanks) {
  using F = TypeParam;
  std::mt19937_64 random(7);
  for (std::uint32_t ranks : {1u, 2u, 3u, 4u, 7u, 8u, 16u, 63u, 64u, 100u, 256u, 1000u, 1024u})
    for (std::uint64_t index : {0ull, 1ull, 130ull, 999'999'999'999ull}) {
      const Recipe recipe{random(), static_cast<std::uint32_t>(random()), ranks};
      std::vector<typename F::Bits> parts;
      for (std::uint32_t rank = 0; rank < ranks; ++rank)
        parts.push_back(pattern::contribution_at<F, Op::sum>(recipe, rank, index));
      const auto expected = pattern::expectation_at<F, Op::sum>(recipe, 0, index);
      ASSERT_NE(expected, 0) << "a dropped sum must not look right";
      for (int order = 0; order < 3; ++order)
        ASSERT_EQ(sum_in_random_order<F>(parts, random), expected) << ranks << " ranks, index " << index;
    }
}

// Other operators, against a plain fold.
template <class F, Op op, class Fold>
void check_fold(Fold&& fold) {
  for (std::uint32_t ranks : {1u, 2u, 3u, 5u, 8u, 13u})
    for (std::uint64_t index = 0; index < 300; ++index) {
      const Recipe recipe{5, 9, ranks};
      auto result = pattern::contribution_at<F, op>(recipe, 0, index);
      for (std::uint32_t rank = 1; rank < ranks; ++rank)
        result = fold(result, pattern::contribution_at<F, op>(recipe, rank, index));
      ASSERT_EQ(result, (pattern::expectation_at<F, op>(recipe, 0, index)))
          << ranks << " ranks, index " << index;
    }
}

TYPED_TEST(SumOf, ProductsMinimaAndMaximaFoldToTheExpectation) {
  using F = TypeParam;
  using Bits = typename F::Bits;
  check_fold<F, Op::prod>(
      [](Bits a, Bits b) { return pattern::round_from<F>(pattern::decode<F>(a) * pattern::decode<F>(b)); });
  check_fold<F, Op::min>(
      [](Bits a, Bits b) { return pattern::decode<F>(a) < pattern::decode<F>(b) ? a : b; });
  check_fold<F, Op::max>(
      [](Bits a, Bits b) { return pattern::decode<F>(a) < pattern::decode<F>(b) ? b : a; });
}

template <class F>
class IntegersOf : public testing::Test {};
using IntegerFormats = testing::Types<pattern::Int8, pattern::Uint8, pattern::Int32, pattern::Uint32,
                                      pattern::Int64, pattern::Uint64>;
TYPED_TEST_SUITE(IntegersOf, IntegerFormats);

TYPED_TEST(IntegersOf, EveryOperatorFoldsToTheExpectation) {
  using F = TypeParam;
  using Bits = typename F::Bits;
  check_fold<F, Op::sum>([](Bits a, Bits b) { return static_cast<Bits>(a + b); });
  check_fold<F, Op::prod>(
      [](Bits a, Bits b) { return static_cast<Bits>(static_cast<std::uint64_t>(a) * b); });
  check_fold<F, Op::min>(
      [](Bits a, Bits b) { return pattern::decode<F>(a) < pattern::decode<F>(b) ? a : b; });
  check_fold<F, Op::max>(
      [](Bits a, Bits b) { return pattern::decode<F>(a) < pattern::decode<F>(b) ? b : a; });
}

TEST(EightBitSums, NeverLeaveTheirRangeInAnyOrder) {
  const auto check = [&]<class F>(int low, int high) {
    for (std::uint32_t ranks : {2u, 3u, 8u, 40u, 200u})
      for (std::uint64_t index = 0; index < 500; ++index) {
        int positive = 0, negative = 0;
        for (std::uint32_t rank = 0; rank < ranks; ++rank) {
          const auto x = static_cast<int>(
              pattern::decode<F>(pattern::contribution_at<F, Op::sum>({3, 4, ranks}, rank, index)));
          (x < 0 ? negative : positive) += x;
        }
        ASSERT_LE(positive, high);
        ASSERT_GE(negative, low);
      }
  };
  check.operator()<pattern::Int8>(-128, 127);
  check.operator()<pattern::Uint8>(0, 255);
}

TEST(Average, OfAnyNumberOfRanksIsWithinItsToleranceEvenWhenScaledFirst) {
  // As NCCL does it: every contribution times 1/N in the format, then added in the format.
  const auto check = [&]<class F>() {
    for (std::uint32_t ranks : {1u, 2u, 3u, 4u, 5u, 7u, 8u, 12u, 48u})
      for (std::uint64_t index = 0; index < 400; ++index) {
        const Recipe recipe{11, 3, ranks};
        double sum = 0;
        const double scale = pattern::decode<F>(pattern::round_from<F>(1.0 / ranks));
        for (std::uint32_t rank = 0; rank < ranks; ++rank) {
          const double part = pattern::decode<F>(pattern::round_from<F>(
              pattern::decode<F>(pattern::contribution_at<F, Op::avg>(recipe, rank, index)) * scale));
          sum = pattern::decode<F>(pattern::round_from<F>(sum + part));
        }
        const auto distance = pattern::distance<F>(pattern::round_from<F>(sum),
                                                   pattern::expectation_at<F, Op::avg>(recipe, 0, index));
        ASSERT_LE(distance, (pattern::tolerance<F, Op::avg>(ranks))) << ranks << " ranks, index " << index;
      }
  };
  check.operator()<pattern::Single>();
  check.operator()<pattern::Bfloat16>();
  check.operator()<pattern::Half>();
  check.operator()<pattern::Double>();
}

TEST(Formats, EncodeAndDecodeAgreeForEveryEightAndSixteenBitPattern) {
  const auto check = [&]<class F>() {
    for (std::uint32_t bits = 0; bits < 1u << (8 * F::width); ++bits) {
      const double value = pattern::decode<F>(static_cast<typename F::Bits>(bits));
      if (!std::isfinite(value)) continue;
      ASSERT_EQ(pattern::round_from<F>(value), bits) << std::hex << bits;
    }
  };
  check.operator()<pattern::Half>();
  check.operator()<pattern::Bfloat16>();
  check.operator()<pattern::Fp8E4M3>();
  check.operator()<pattern::Fp8E5M2>();
}

TEST(Generator, StreamsOfRanksAndIterationsDoNotRepeatEachOther) {
  std::set<std::uint64_t> seen;
  int values = 0;
  for (std::uint32_t iteration = 0; iteration < 10; ++iteration)
    for (std::uint32_t rank = 0; rank < 10; ++rank)
      for (std::uint64_t index = 0; index < 100; ++index, ++values)
        seen.insert(pattern::contribution_at<pattern::Uint64, Op::copy>({1, iteration, 10}, rank, index));
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(values));
}

// Every dtype and op: whole blocks, heads and tails agree with one element at a time, and a planted error is
// found.
TEST(HostLoops, AgreeWithTheElementFunctionsAtAnyOffset) {
  for (const auto& dtype : dtype_names)
    for (Op op : {Op::copy, Op::sum, Op::prod, Op::min, Op::max, Op::avg}) {
      const auto width = static_cast<std::uint64_t>(dtype.width);
      const std::uint64_t count = 3000;
      std::vector<std::uint8_t> whole((count + 100) * width), part(count * width);
      const Recipe recipe{8, 2, 3};
      fill(whole.data(), count + 100, {dtype.dtype, op, recipe, 1, 0});
      for (std::uint64_t offset : {0u, 1u, 31u, 77u}) {
        fill(part.data(), count, {dtype.dtype, op, recipe, 1, offset});
        ASSERT_TRUE(
            std::equal(part.begin(), part.end(), whole.begin() + static_cast<std::ptrdiff_t>(offset * width)))
            << dtype.name << " op " << static_cast<int>(op) << " offset " << offset;
      }
    }
}

TEST(HostLoops, FindTheOneFlippedBitWhereverItIs) {
  std::mt19937_64 random(3);
  for (const auto& dtype : dtype_names)
    for (int trial = 0; trial < 20; ++trial) {
      const auto width = static_cast<std::uint64_t>(dtype.width);
      const std::uint64_t count = 1 + random() % 5000, offset = random() % 1000;
      std::vector<std::uint8_t> data(count * width);
      const DataSpec spec{dtype.dtype, Op::copy, {random(), 1, 2}, 1, offset};
      fill(data.data(), count, spec);
      ASSERT_EQ(verify(data.data(), count, spec).wrong, 0u);
      const std::uint64_t at = random() % count, bit = random() % (8 * width);
      data[at * width + bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
      const auto found = verify(data.data(), count, spec);
      ASSERT_EQ(found.wrong, 1u);
      ASSERT_EQ(found.first, at);
      ASSERT_EQ(found.expected ^ found.actual, std::uint64_t{1} << bit);
    }
}

WrongElement wrong(Op op, std::uint64_t actual, std::uint64_t how_many = 10) {
  WrongElement element{.spec = {Dtype::float32, op, {4, 6, 4}, 2, 12345},
                       .actual = actual,
                       .wrong_in_stretch = how_many,
                       .chunk = 4096};
  element.expected = op == Op::sum
                         ? pattern::expectation_at<pattern::Single, Op::sum>(element.spec.recipe, 2, 12345)
                         : pattern::expectation_at<pattern::Single, Op::copy>(element.spec.recipe, 2, 12345);
  return element;
}

TEST(LikelyKind, NamesEachPlantedFault) {
  using F = pattern::Single;
  const Recipe now{4, 6, 4}, before{4, 5, 4};
  const auto y = pattern::decode<F>(pattern::expectation_at<F, Op::sum>(now, 0, 12345));
  const auto x1 = pattern::decode<F>(pattern::contribution_at<F, Op::sum>(now, 1, 12345));
  EXPECT_EQ(likely_kind(wrong(Op::sum, 0xffffffff)), "never written (still poison)");
  EXPECT_EQ(likely_kind(wrong(Op::sum, pattern::round_from<F>(y - x1))), "contribution of rank 1 missing");
  EXPECT_EQ(likely_kind(wrong(Op::sum, pattern::round_from<F>(y + x1))),
            "contribution of rank 1 added twice");
  EXPECT_EQ(likely_kind(wrong(Op::sum, pattern::expectation_at<F, Op::sum>(before, 0, 12345))),
            "left over from the previous iteration");
  EXPECT_EQ(likely_kind(wrong(Op::copy, pattern::expectation_at<F, Op::copy>(now, 3, 12345))),
            "data of rank 3 in its place");
  EXPECT_EQ(likely_kind(wrong(Op::copy, pattern::expectation_at<F, Op::copy>(now, 2, 12345 % 4096))),
            "data of rank 2 for another chunk in its place");
  auto flipped = wrong(Op::sum, 0, 1);
  flipped.actual = flipped.expected ^ 1u << 17;
  EXPECT_EQ(likely_kind(flipped), "bit 17 flipped");
  flipped.actual = flipped.expected ^ (1u << 17 | 1u << 2);
  EXPECT_EQ(likely_kind(flipped), "bits 2, 17 flipped");
  EXPECT_EQ(likely_kind(wrong(Op::sum, 0x7fc00001)), "not a number");
}

}  // namespace
}  // namespace mlc
