// Which rank is slower than those that do the same. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace mlc {

// One rank's share in being the slowest.
struct RankTimes {
  double median = 0;          // seconds, of its own times
  std::uint64_t slowest = 0;  // iterations in which no rank of its role took longer
};

struct SlowRank {
  std::size_t rank = 0;
  double excess = 0;  // its median over the median of the medians of the others of its role, minus one
};

// What the ranks do alike, and how often it is asked whether one is slow.
struct SlowRankSearch {
  std::optional<std::size_t> root;  // does something else than the others
  std::size_t sizes = 1;            // searched in this run: a false name in any of them is one
};

// The slowest of at least three ranks of one role, if that is neither chance nor too little to matter.
//
// Chance: were all alike, each would be the slowest in 1/n of the iterations; named when the binomial tail,
// times ranks and sizes, is below 1e-3. Matter: at least 1 % and 1 us over the others; less is where a
// process sits, not what is wrong with it. The root of a rooted operation is never compared. The others wait
// for those before them on the way from it, which only the library knows: in a chain, the longest way, the
// last takes n - 1 times as long as the first, and only what is slower than that by the floor is named.
std::optional<SlowRank> find_slow_rank(std::span<const RankTimes> ranks, std::uint64_t iterations,
                                       const SlowRankSearch& search = {});

}  // namespace mlc
