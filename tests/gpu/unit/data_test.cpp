// The burn-in's data on the host: the same functions that the kernels call.
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

#include "kernels/atomics.hpp"
#include "kernels/gemm_data.hpp"
#include "kernels/hbm.hpp"
#include "kernels/memory_pattern.hpp"
#include "kernels/tile.hpp"

namespace mlc {
namespace {

namespace golden_values {
#include "kernels/burnin_golden_digests.inc"
}

TEST(Tile, TheHostsDigestsAreThoseOfTheReference) {
  const auto is = [](const tile::Digest& digest, const std::uint64_t(&golden)[2]) {
    EXPECT_EQ(digest.sum, golden[0]);
    EXPECT_EQ(digest.parity, golden[1]);
  };
  is(tile::golden(tile::Engine::tensor, {42, 1}, 0), golden_values::product_once);
  is(tile::golden(tile::Engine::tensor, {42, tile::most_rounds}, 0), golden_values::product_many);
  is(tile::golden(tile::Engine::fp8, {42, tile::most_rounds}, 0), golden_values::fp8_many);
  is(tile::golden(tile::Engine::integer, {42, 1}, 0), golden_values::integer_once);
  is(tile::golden(tile::Engine::shared, {42, 1}, 0), golden_values::shared_once);
  // Row 2 and column 3 of the kinds of tiles: tile (6, 11) of 16 x 16 is one of them.
  const tile::Spec large{42, 1, {.side = 16, .depth = 256}};
  const int kind = tile::kind_of(tile::Engine::product, large, 6 * 16 + 11);
  EXPECT_EQ(kind, 2 * 4 + 3);
  is(tile::golden(tile::Engine::product, large, kind), golden_values::large_product);
}

TEST(Tile, EachTileOfTheProductIsDealtOnceToOtherBlocksEachTime) {
  for (const int side : {1, 4, 64}) {
    const auto tiles = static_cast<std::uint32_t>(side * side);
    std::uint32_t stayed = 0;
    for (std::uint32_t launch = 0; launch < 70; ++launch) {
      std::set<std::uint32_t> seen;
      for (std::uint32_t block = 0; block < tiles; ++block) {
        seen.insert(tile::product_tile(block, launch, side));
        stayed += tile::product_tile(block, launch, side) == tile::product_tile(block, launch + 1, side);
      }
      EXPECT_EQ(seen.size(), tiles);
      EXPECT_LT(*seen.rbegin(), tiles);
    }
    EXPECT_LT(stayed, 70 * tiles / (side > 1 ? 4 : 1) + 1);
  }
}

TEST(Tile, TheInputsOfFp8AreTheirValues) {
  // Sign, four bits of exponent with bias 7, three of mantissa.
  for (int value = -4; value <= 3; ++value) {
    const int bits = tile::e4m3(value), exponent = bits >> 3 & 15;
    const double magnitude =
        exponent == 0 ? (bits & 7) / 8.0 / 64 : std::ldexp(1 + (bits & 7) / 8.0, exponent - 7);
    EXPECT_EQ((bits & 0x80) != 0 ? -magnitude : magnitude, value);
  }
}

TEST(Tile, TensorCoresAndFp32UnitsHaveOneAnswer) {
  EXPECT_EQ(tile::golden(tile::Engine::tensor, {7, 3}, 2), tile::golden(tile::Engine::fma, {7, 3}, 2));
  EXPECT_FALSE(tile::golden(tile::Engine::tensor, {7, 3}, 0) ==
               tile::golden(tile::Engine::tensor, {8, 3}, 0));
  EXPECT_EQ(tile::golden(tile::Engine::tensor, {7, 3}, 1), tile::golden(tile::Engine::tensor, {8, 3}, 0));
}

TEST(Tile, OneWrongBitChangesTheDigestInAnyOrder) {
  tile::Digest forward, backward, wrong;
  for (std::uint64_t i = 0; i < 100; ++i)
    forward.add(i, i * i), backward.add(99 - i, (99 - i) * (99 - i)),
        wrong.add(i, i == 57 ? i * i ^ 1 : i * i);
  EXPECT_EQ(forward, backward);
  EXPECT_NE(forward.sum, wrong.sum);
  EXPECT_NE(forward.parity, wrong.parity);
  // Two elements that changed places, which a plain sum does not see.
  tile::Digest swapped;
  for (std::uint64_t i = 0; i < 100; ++i)
    swapped.add(i, i == 3 ? 16 : i == 4 ? 9 : i * i);
  EXPECT_FALSE(swapped == forward);
}

// What a sweep over host memory finds: every pattern, every step.
class Sweeps : public ::testing::TestWithParam<memory::Pattern> {
 protected:
  void sweep(const memory::Sweep& sweep) {
    for (std::size_t n = 0; n < data.size(); ++n) {
      const std::size_t i = sweep.down ? data.size() - 1 - n : n;
      memory::visit(sweep, &data[i], first + i, [&](std::uint64_t expected, std::uint64_t got) {
        return memory::add(log, {.index = first + i, .expected = expected, .got = got, .spec = sweep.spec});
      });
    }
  }
  std::vector<std::uint64_t> data = std::vector<std::uint64_t>(4096, 0xdead);
  std::uint64_t first = 1'000'000'007;
  memory::ErrorLog log;
};

// What is kept to be read again is not written: what was read of it may not be what is there.
TEST_P(Sweeps, WhatIsLeftIsNotWritten) {
  const memory::Spec spec{GetParam(), 5, false};
  const auto visited = [&](memory::Step step, std::uint64_t value, bool kept) {
    return memory::visit({spec, step}, &value, 3, [&](std::uint64_t, std::uint64_t) { return kept; });
  };
  const std::uint64_t right = memory::word(spec, 3);
  EXPECT_TRUE(visited(memory::Step::write, 0, false));
  EXPECT_FALSE(visited(memory::Step::check, right, false));
  EXPECT_TRUE(visited(memory::Step::check_and_invert, right, false));
  EXPECT_TRUE(visited(memory::Step::check_and_invert, right ^ 4, false))
      << "the log is full: it is gone on with";
  EXPECT_FALSE(visited(memory::Step::check_and_invert, right ^ 4, true));
  EXPECT_NE(visited(memory::Step::write_marked, right, false),
            visited(memory::Step::write_unmarked, right, false));
}

TEST_P(Sweeps, MarchFindsNothingInGoodMemory) {
  const memory::Spec spec{GetParam(), 5, false};
  sweep({spec, memory::Step::write});
  sweep({spec, memory::Step::check_and_invert});
  sweep({spec.inverse(), memory::Step::check, true});
  EXPECT_EQ(log.wrong, 0u);
}

TEST_P(Sweeps, MarkedAndUnmarkedTogetherAreAll) {
  const memory::Spec spec{GetParam(), 5, false};
  sweep({spec, memory::Step::write_marked});
  sweep({spec, memory::Step::write_unmarked});
  sweep({spec, memory::Step::check});
  EXPECT_EQ(log.wrong, 0u);
}

TEST_P(Sweeps, EveryFlippedBitIsFoundWhereItIs) {
  const memory::Spec spec{GetParam(), 5, false};
  for (int bit = 0; bit < 64; bit += 7) {
    log = memory::ErrorLog();
    sweep({spec, memory::Step::write});
    data[1234] ^= std::uint64_t{1} << bit;
    sweep({spec, memory::Step::check_and_invert});
    ASSERT_EQ(log.wrong, 1u);
    EXPECT_EQ(log.error[0].index, first + 1234);
    EXPECT_EQ(log.error[0].expected ^ log.error[0].got, std::uint64_t{1} << bit);
    EXPECT_EQ(log.flipped[bit], 1u);
  }
}

TEST_P(Sweeps, StaleDataOfAnotherRoundIsFound) {
  sweep({{GetParam(), 5, false}, memory::Step::write});
  sweep({{GetParam(), 6, false}, memory::Step::check});
  EXPECT_GT(log.wrong, 0u);
}

INSTANTIATE_TEST_SUITE_P(AllPatterns, Sweeps,
                         ::testing::Values(memory::Pattern::own_address, memory::Pattern::walking_bit,
                                           memory::Pattern::switching, memory::Pattern::random,
                                           memory::Pattern::modulo_20));

TEST(MemoryPattern, OwnAddressesAndRandomWordsDiffer) {
  for (const auto pattern : {memory::Pattern::own_address, memory::Pattern::random}) {
    std::set<std::uint64_t> words;
    for (std::uint64_t i = 0; i < 100'000; ++i)
      words.insert(memory::word({pattern, 9, false}, i));
    EXPECT_EQ(words.size(), 100'000u);
  }
}

TEST(MemoryPattern, WalkingBitsVisitEveryBitOfEveryColumn) {
  std::uint64_t seen = 0;
  for (std::uint64_t row = 0; row < 64; ++row)
    seen |= memory::word({memory::Pattern::walking_bit, 3, false}, row * 64);
  EXPECT_EQ(seen, ~std::uint64_t{0});
}

TEST(MemoryPattern, TheLogStopsKeepingButNotCounting) {
  memory::ErrorLog log;
  for (std::uint64_t i = 0; i < memory::most_errors + 10; ++i)
    memory::add(log, {.index = 1000 + i, .expected = 0, .got = 1});
  EXPECT_EQ(log.wrong, static_cast<unsigned>(memory::most_errors) + 10);
  EXPECT_EQ(log.first, 1000u);
  EXPECT_EQ(log.error[memory::most_errors - 1].index, 1000u + memory::most_errors - 1);  // the first are kept
}

TEST(Hbm, BytesAreCountedAsStreamCountsThem) {
  constexpr std::uint64_t gib = 1 << 30;
  EXPECT_EQ(hbm::bytes_moved(hbm::Operation::read, gib), gib);
  EXPECT_EQ(hbm::bytes_moved(hbm::Operation::copy, gib), gib);
  EXPECT_LE(hbm::bytes_moved(hbm::Operation::triad, gib), gib);
  EXPECT_GT(hbm::bytes_moved(hbm::Operation::triad, gib), gib - 3 * 4096);
}

TEST(GemmData, IsNearToStandardNormal) {
  double sum = 0, squares = 0;
  constexpr int n = 200'000;
  std::set<pattern::Bfloat16::Bits> distinct;
  for (std::uint64_t i = 0; i < n; ++i) {
    const auto bits = gemm::input<pattern::Bfloat16>(1, i);
    const double value = pattern::decode<pattern::Bfloat16>(bits);
    sum += value, squares += value * value;
    distinct.insert(bits);
  }
  EXPECT_NEAR(sum / n, 0, 0.01);
  EXPECT_NEAR(squares / n, 1, 0.02);
  EXPECT_GT(distinct.size(), 1000u);  // constants would draw less power
}

TEST(GemmData, EightBitInputsNeitherSaturateNorVanish) {
  int zero = 0, largest = 0;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    const double value = std::fabs(pattern::decode<pattern::Fp8E4M3>(gemm::input<pattern::Fp8E4M3>(1, i)));
    zero += value == 0, largest += value >= 448;
  }
  EXPECT_LT(zero, 100);
  EXPECT_EQ(largest, 0);
}

TEST(Atomics, ExpectedSumsAreExact) {
  constexpr std::uint64_t threads = 1 << 16;
  for (const auto& [spread, name] : atomics::spread_names) {
    atomics::Counters counters{};
    atomics::expected(spread, threads, counters);
    double f32 = 0;
    for (int c = 0; c < atomics::counters; ++c) {
      EXPECT_LT(counters.f32[c], 1 << 24) << name;
      f32 += counters.f32[c];
    }
    EXPECT_EQ(f32, 1.5 * threads) << name;  // 0, 1, 2, 3 in turn
    atomics::Counters lost = counters;
    lost.u32[0] -= 1, lost.f32[0] -= 1;
    EXPECT_EQ(atomics::differing(lost, counters), 2) << name;
  }
}

}  // namespace
}  // namespace mlc
