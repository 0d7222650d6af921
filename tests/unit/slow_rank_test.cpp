#include "bench/stats/slow_rank.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "bench/stats/statistics.hpp"

namespace mlc {
namespace {

constexpr double us = 1e-6;
using Ranks = std::vector<RankTimes>;

TEST(SlowRank, IsNamedAmongAtLeastThree) {
  const auto slow = find_slow_rank(Ranks{{1.0, 5}, {1.1, 90}, {1.0, 3}, {1.0, 2}}, 100);
  ASSERT_TRUE(slow);
  EXPECT_EQ(slow->rank, 1u);
  EXPECT_NEAR(slow->excess, 0.1, 1e-12);
  EXPECT_TRUE(find_slow_rank(Ranks{{1.0, 5}, {1.1, 92}, {1.0, 3}}, 100));
  // Of two, nobody knows which is at fault.
  EXPECT_FALSE(find_slow_rank(Ranks{{1.0, 5}, {1.1, 95}}, 100));
  EXPECT_FALSE(find_slow_rank(Ranks{{1.0, 5}, {9.0, 95}}, 100));
}

TEST(SlowRank, IsNotNamedByChance) {
  EXPECT_FALSE(find_slow_rank(Ranks{{1.0, 25}, {1.05, 27}, {1.0, 24}, {1.0, 24}}, 100));
  EXPECT_FALSE(find_slow_rank(Ranks{{1.0, 3}, {1.0, 0}, {1.0, 0}}, 3));
  EXPECT_FALSE(find_slow_rank(Ranks{}, 100));
}

// 5.7 % of a microsecond is where a process sits on the chip.
TEST(SlowRank, IsSlowByAPercentAndAMicrosecond) {
  const auto named = [](double others, double own) {
    return find_slow_rank(Ranks{{others, 2}, {own, 96}, {others, 1}, {others, 1}}, 100).has_value();
  };
  EXPECT_FALSE(named(1.15 * us, 1.22 * us));
  EXPECT_FALSE(named(5 * us, 5.99 * us));
  EXPECT_TRUE(named(5 * us, 6.01 * us));
  EXPECT_FALSE(named(1000 * us, 1009 * us));
  EXPECT_TRUE(named(1000 * us, 1011 * us));
}

TEST(SlowRank, TheRootDoesSomethingElse) {
  // A gather's root takes everybody's data: it is the slowest of all by far, and nothing is wrong with it.
  const Ranks gather{{900 * us, 100}, {100 * us, 34}, {101 * us, 33}, {100 * us, 33}};
  EXPECT_TRUE(find_slow_rank(gather, 100));
  EXPECT_FALSE(find_slow_rank(gather, 100, {.root = 0}));
  // Two ranks beside the root.
  EXPECT_FALSE(find_slow_rank(Ranks{{900 * us, 100}, {100 * us, 1}, {990 * us, 99}}, 100, {.root = 0}));
}

// The far end of a broadcast's chain waits for all before it; a rank that is slower than any way is named.
TEST(SlowRank, FarFromTheRootIsNotSlow) {
  const auto named = [](double last) {
    return find_slow_rank(Ranks{{10 * us, 0}, {100 * us, 1}, {100 * us, 1}, {last, 98}}, 100, {.root = 0})
        .has_value();
  };
  EXPECT_FALSE(named(200 * us));
  EXPECT_FALSE(named(300 * us));
  EXPECT_TRUE(named(310 * us));
}

TEST(SlowRank, IsCorrectedForTheNumberOfSizes) {
  // P(X >= 52) of a binomial(100, 1/4) is 1.2e-8; times four ranks and 40,000 sizes it is above 1e-3.
  const Ranks ranks{{1.0, 16}, {1.1, 52}, {1.0, 16}, {1.0, 16}};
  EXPECT_TRUE(find_slow_rank(ranks, 100, {.root = {}, .sizes = 20}));
  EXPECT_FALSE(find_slow_rank(ranks, 100, {.root = {}, .sizes = 40'000}));
}

// With equal ranks and heavy noise, a name is dropped in fewer than 1 in 1000 runs, of one size or of forty.
TEST(SlowRank, FalseAccusationsAreRare) {
  std::mt19937_64 random(4);
  std::normal_distribution<double> noise(1, 0.2);
  const auto accused = [&](int runs, std::size_t sizes) {
    int count = 0;
    for (int run = 0; run < runs; ++run) {
      bool any = false;
      for (std::size_t size = 0; size < sizes; ++size) {
        std::vector<std::vector<double>> times(4);
        Ranks ranks(4);
        for (int i = 0; i < 50; ++i) {
          std::size_t worst = 0;
          for (std::size_t r = 0; r < 4; ++r) {
            times[r].push_back(noise(random));
            if (times[r].back() > times[worst].back()) worst = r;
          }
          ++ranks[worst].slowest;
        }
        for (std::size_t r = 0; r < 4; ++r)
          ranks[r].median = median(times[r]);
        any = any || find_slow_rank(ranks, 50, {.root = {}, .sizes = sizes});
      }
      count += any ? 1 : 0;
    }
    return count;
  };
  EXPECT_LE(accused(4'000, 1), 4 + 3);
  EXPECT_LE(accused(200, 40), 2);
}

}  // namespace
}  // namespace mlc
