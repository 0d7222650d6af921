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

std::string why_not(const std::string& text, const FaultKinds& kinds) {
  try {
    (void)fault_from(text, kinds);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(Faults, AreReadByTheTableOfTheirCommand) {
  const Fault flip =
      fault_from("flip:bit=3,rank=1,index=1000,", rank_faults());  // a trailing comma does no harm
  EXPECT_EQ(flip.kind, Fault::Kind::flip);
  EXPECT_EQ(flip.place, 1);
  EXPECT_EQ(flip.index, 1000u);
  EXPECT_EQ(flip.bit, 3);
  EXPECT_EQ(fault_from("hang:rail=2,after=5", rail_faults()).after, 5u);
  const Fault memory = fault_from("memory:gpu=3,word=1000,bit=63", gpu_faults());
  EXPECT_EQ(memory.place, 3);
  EXPECT_EQ(memory.index, 1000u);
  EXPECT_EQ(memory.bit, 63);
  EXPECT_EQ(fault_from("sm:gpu=0,sm=17", gpu_faults()).index, 17u);
  for (const auto* kinds : {&rank_faults(), &rail_faults(), &gpu_faults()}) {
    const std::string forms = fault_forms(*kinds);
    for (std::size_t at = 0; at < forms.size();) {  // what the help shows is what is read
      const auto end = std::min(forms.find(" | ", at), forms.size());
      EXPECT_EQ(why_not(forms.substr(at, end - at), *kinds), "");
      at = end + 3;
    }
  }
}

// In E4M3 1/1024 is zero, and every average with it: a check of it would always pass.
TEST(Sweep, AnAverageThatIsZeroWhateverIsSentIsRefused) {
  SweepRequest request{.collective = find_collective("allreduce"),
                       .sizes = {4096},
                       .dtypes = {Dtype::float32, Dtype::fp8_e4m3},
                       .redops = {Redop::sum, Redop::avg}};
  EXPECT_EQ(plan(request, 1023).cells.size(), 8u);
  try {
    (void)plan(request, 1024);
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("an average of f8e4m3 over 1024 ranks is zero"));
  }
  request.redops = {Redop::sum};
  EXPECT_EQ(plan(request, 1024).cells.size(), 4u);
}

TEST(Faults, AreRefusedWithWhatIsAllowed) {
  const std::vector<std::tuple<const char*, const FaultKinds*, const char*>> refused{
      {"", &rank_faults(), "none of flip, delay, hang, die"},
      {"flop:rank=1", &rank_faults(), "none of flip, delay, hang, die"},
      {"disk", &gpu_faults(), "none of memory, sm"},
      {"flip:rank", &rank_faults(), "rank must be a number from 0 to 1048575"},
      {"flip:rank=", &rank_faults(), "rank must be a number from 0 to 1048575"},
      {"flip:rank=x,index=7,bit=3", &rank_faults(), "rank must be a number from 0 to 1048575"},
      {"flip:rank=-1,index=7,bit=3", &rank_faults(), "rank must be a number from 0 to 1048575"},
      {"flip:rank=4294967297,index=7,bit=3", &rank_faults(), "rank must be a number from 0 to 1048575"},
      {"flip:rank=18446744073709551617,index=7,bit=3", &rank_faults(),
       "rank must be a number from 0 to 1048575"},
      {"flip:rank=1,index=18446744073709551615,bit=3", &rank_faults(), "index must be a number from 0 to"},
      {"flip:rank=1,index=7,bit=99", &rank_faults(), "bit must be a number from 0 to 63"},
      {"flip:rail=1,index=7,bit=8", &rail_faults(), "bit must be a number from 0 to 7"},
      {"flip:rail=4294967297,index=7,bit=3", &rail_faults(), "rail must be a number from 0 to 1023"},
      {"memory:gpu=0,word=1,bit=64", &gpu_faults(), "bit must be a number from 0 to 63"},
      {"sm:gpu=1024,sm=1", &gpu_faults(), "gpu must be a number from 0 to 1023"},
      {"flip:colour=1", &rank_faults(), "'colour' is none of rank, index, bit"},
      {"flip:rail=1,index=7,bit=3", &rank_faults(), "'rail' is none of rank, index, bit"},
      {"flip:rank=1,index=7,bit=3", &rail_faults(), "'rank' is none of rail, index, bit"},
      {"hang:rank=1,us=5", &rank_faults(), "'us' is none of rank, after"},
      {"memory:sm=1", &gpu_faults(), "'sm' is none of gpu, word, bit"},
      {"flip:rank=1,rank=2,index=7,bit=3", &rank_faults(), "rank is given twice"},
      {"flip:rank=1,bit=3", &rank_faults(), "index is missing"},
      {"sm:sm=17", &gpu_faults(), "gpu is missing"},
      {"delay", &rank_faults(), "rank is missing"},
  };
  for (const auto& [text, kinds, says] : refused)
    EXPECT_THAT(why_not(text, *kinds), testing::HasSubstr(says)) << text;
}

TEST(Faults, ThatTheRunHasNoPlaceForAreRefused) {
  const auto refused = [](const char* collective, const char* text,
                          std::vector<Dtype> dtypes = {Dtype::float32}) {
    const Sweep sweep =
        plan({.collective = find_collective(collective), .sizes = {4096, 16384}, .dtypes = dtypes}, 4);
    try {
      check_fault(fault_from(text, rank_faults()), sweep.cells, 4);
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(refused("allreduce", "flip:rank=3,index=4095,bit=31"), "");
  EXPECT_THAT(refused("allreduce", "flip:rank=4,index=0,bit=0"), testing::HasSubstr("rank 4 is not below 4"));
  EXPECT_THAT(refused("allreduce", "die:rank=4,after=0"), testing::HasSubstr("rank 4 is not below 4"));
  EXPECT_THAT(refused("allreduce", "flip:rank=0,index=4096,bit=0"),
              testing::HasSubstr("index 4096 is not below 4096"));
  EXPECT_THAT(refused("allreduce", "flip:rank=0,index=0,bit=32"),
              testing::HasSubstr("bit 32 is not below 32, the width of float"));
  EXPECT_THAT(refused("allreduce", "flip:rank=0,index=0,bit=8", {Dtype::int8}),
              testing::HasSubstr("bit 8 is not below 8"));
  EXPECT_THAT(refused("gather", "flip:rank=1,index=0,bit=0"),
              testing::HasSubstr("index 0 is not below 0"));  // the root only
}

}  // namespace
}  // namespace mlc
