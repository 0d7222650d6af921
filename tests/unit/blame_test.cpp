#include "bench/ranks/blame.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mlc {
namespace {

using testing::HasSubstr;

RankState rank(int r, std::string node, std::uint64_t sequence, double silent = 0.1) {
  return {.rank = r,
          .node = std::move(node),
          .sequence = sequence,
          .phase = "allreduce 1 MiB",
          .unchanged_s = 60,
          .silent_s = silent};
}

TEST(Blame, TheRankBehindTheOthers) {
  const std::vector<RankState> ranks{rank(0, "a", 58), rank(1, "a", 58), rank(2, "b", 57), rank(3, "b", 58)};
  const auto error = blame_for_hang(ranks, 60);
  EXPECT_EQ(error.where, "rank 2 on b");
  EXPECT_THAT(error.what, HasSubstr("has not reached the operation"));
  EXPECT_EQ(error.phase, "allreduce 1 MiB");
}

TEST(Blame, TheSilentRankRatherThanTheOnesItHolds) {
  const std::vector<RankState> ranks{rank(0, "a", 58), rank(1, "a", 57), rank(2, "b", 57, 61),
                                     rank(3, "b", 57, 61)};
  EXPECT_EQ(blame_for_hang(ranks, 60).where, "ranks 2, 3 on b");
}

TEST(Blame, NobodyWhenAllAreInside) {
  const std::vector<RankState> ranks{rank(0, "a", 58), rank(1, "b", 58)};
  EXPECT_THAT(blame_for_hang(ranks, 60).what, HasSubstr("all ranks are inside the same operation"));
}

TEST(Blame, OneAloneHasNoTransport) {
  const auto error = blame_for_hang(std::vector<RankState>{rank(0, "a", 58)}, 60);
  EXPECT_THAT(error.what, HasSubstr("what it is doing has not ended"));
  EXPECT_THAT(error.hint, AllOf(HasSubstr("driver"), Not(HasSubstr("links"))));
}

TEST(Blame, TheMissingByWhatIsKnownHere) {
  EXPECT_THAT(blame_for_missing(3, std::vector{0, 1}, 3, "a", 60).what,
              HasSubstr("rank 2 on a never arrived"));
  EXPECT_THAT(blame_for_missing(4, std::vector{0, 1}, 2, "a", 60).what,
              HasSubstr("every rank of a (0, 1) is here; of ranks 2, 3 on other nodes"));
  EXPECT_THAT(blame_for_missing(4, std::vector{0}, 2, "a", 60).what,
              HasSubstr("not seen on a, where a rank is missing"));
  EXPECT_THAT(blame_for_missing(2, std::vector{0, 1}, 2, "a", 60).what,
              HasSubstr("all 2 ranks have started"));
}

TEST(Blame, HostileNodeNamesStayText) { EXPECT_EQ(rank_on_node(1, "a\x1b[2J\n"), "rank 1 on a\\x1b[2J\\n"); }

}  // namespace
}  // namespace mlc
