#include "validators/deciding/thresholds.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/cli/question.hpp"

namespace mlc {
namespace {

const Policy& policy() {
  static const Policy p = read_policy(R"(policy: t
thresholds:
  - {collective: allreduce, backend: nccl, nodes: 2, sizes: [1G], placement: out_of_place, busbw_at_least: 90 GB/s}
  - {collective: allreduce, backend: nccl, nodes: 2, min_size: 1M, max_size: 8G, busbw_at_least: 10 GB/s}
  - {collective: allreduce, backend: nccl, nodes: 1, sizes: [1G], time_at_most: 10 ms}
  - {collective: allreduce, backend: nccl, nodes: 1, sizes: [1G], busbw_at_least: 1 GB/s}
)",
                                      "t");
  return p;
}

Cell cell(std::uint64_t bytes, Placement placement = Placement::out_of_place) {
  return {.collective = find_collective("allreduce"),
          .placement = placement,
          .requested_bytes = bytes,
          .bytes = bytes,
          .count = bytes / 4};
}

Measured measured(std::uint64_t bytes) {
  return {.collective = "allreduce",
          .dtype = "float",
          .redop = "sum",
          .placement = "out_of_place",
          .requested_bytes = bytes,
          .bytes = bytes};
}

TEST(Thresholds, TheStrictestThatAppliesIsAsked) {
  const RunShape two{"nccl", 16, 2}, one{"nccl", 8, 1};
  EXPECT_EQ(question_for(cell(1 << 30), policy(), two, false)->bound, 90);
  EXPECT_EQ(question_for(cell(1 << 30, Placement::in_place), policy(), two, false)->bound, 10);
  EXPECT_EQ(question_for(cell(1 << 20), policy(), two, false)->bound, 10);
  EXPECT_FALSE(question_for(cell(1 << 10), policy(), two, false));
  EXPECT_FALSE(question_for(cell(1 << 30), policy(), {"mpi", 16, 2}, false));
  // 1 GiB in 10 ms over 8 ranks is 188 GB/s of busbw: stricter than 1 GB/s.
  const auto question = question_for(cell(1 << 30), policy(), one, false);
  EXPECT_EQ(question->metric, Question::Metric::time_us);
  EXPECT_EQ(question->bound, 10'000);
}

TEST(Thresholds, SizesOfThePolicyAreMeasured) {
  EXPECT_THAT(policy_sizes(policy(), "allreduce", {"nccl", 16, 2}), testing::ElementsAre(1 << 30));
  EXPECT_THAT(policy_sizes(policy(), "allgather", {"nccl", 16, 2}), testing::IsEmpty());
}

TEST(Thresholds, WhatWasNotMeasuredIsNamed) {
  const RunShape two{"nccl", 16, 2};
  const auto missing = unmeasured(std::vector{measured(1 << 10)}, policy(), "allreduce", two);
  ASSERT_EQ(missing.size(), 2u);
  EXPECT_THAT(missing[0], testing::HasSubstr("allreduce 1 GiB"));
  EXPECT_THAT(unmeasured(std::vector{measured(1 << 30)}, policy(), "allreduce", two), testing::IsEmpty());
}

// NCCL did not start and MPI was taken instead, or a GPU is missing: no threshold fits, and that is no pass.
TEST(Thresholds, ARunOfAnotherShapeThanThePolicyJudgesIsNoPass) {
  const std::vector all{measured(1 << 30)};
  EXPECT_THAT(unmeasured(all, policy(), "allreduce", {"mpi", 16, 2}),
              testing::ElementsAre(testing::HasSubstr("this ran over mpi, 2 nodes, 16 ranks")));
  EXPECT_THAT(unmeasured(all, policy(), "allreduce", {"nccl", 24, 3}), testing::SizeIs(1));
  EXPECT_THAT(unmeasured(all, policy(), "broadcast", {"mpi", 16, 2}), testing::IsEmpty());
}

}  // namespace
}  // namespace mlc
