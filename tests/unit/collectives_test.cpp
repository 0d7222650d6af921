#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>

#include "bench/backends/loopback.hpp"
#include "tests/unit/every_collective.hpp"

namespace mlc {
namespace {

class EveryCollective : public testing::TestWithParam<int> {};

TEST_P(EveryCollective, IsRightOverLoopbackForAllDtypesOpsAndPlacements) {
  std::mutex mutex;
  std::vector<std::string> failures;
  std::uint64_t least = UINT64_MAX;
  run_loopback(GetParam(), [&](Communicator& communicator) {
    std::uint64_t checked = 0;
    const auto mine = verify_everything(communicator, checked);
    const std::lock_guard lock(mutex);
    failures.insert(failures.end(), mine.begin(), mine.end());
    least = std::min(least, checked);
  });
  EXPECT_THAT(failures, testing::IsEmpty());
  // 3 reducing collectives x 12 dtypes x 5 ops and 7 others x 12, 4 counts, two placements but for three of
  // the others; one more where the number of ranks is a power of two above one.
  const bool power_of_two = GetParam() > 1 && (GetParam() & (GetParam() - 1)) == 0;
  EXPECT_EQ(least, 4u * 12 * (3 * 5 * 2 + 4 * 2 + 3 + (power_of_two ? 2 : 0)));
}

INSTANTIATE_TEST_SUITE_P(Ranks, EveryCollective, testing::Values(1, 2, 3, 4, 7, 8));

// Chunks that differ, and the sums that make busbw that of equal ones.
TEST(Alltoallv, EveryRankSendsAndReceivesTheSameInUnequalChunks) {
  const Collective& alltoallv = *find_collective("alltoallv");
  for (int ranks = 1; ranks <= 9; ++ranks)
    for (std::uint64_t count : {1u, 3u, 37u, 1021u})
      for (int rank = 0; rank < ranks; ++rank) {
        const Shape shape{rank, ranks, 0, count};
        const auto all = count * static_cast<std::uint64_t>(ranks);
        EXPECT_EQ(alltoallv.layout(shape).send, all);
        EXPECT_EQ(alltoallv.layout(shape).recv, all);
        std::uint64_t sum = 0, least = UINT64_MAX, most = 0;
        for (const Segment& segment : alltoallv.received(shape)) {
          EXPECT_EQ(segment.offset, sum);
          sum += segment.count;
          least = std::min(least, segment.count), most = std::max(most, segment.count);
          if (segment.source == static_cast<std::uint32_t>(rank)) {
            EXPECT_EQ(segment.count, count);
          }
        }
        EXPECT_EQ(sum, all);
        if (ranks > 2) {
          EXPECT_LT(least, count);
          EXPECT_GT(most, count);
        }
      }
}

TEST(Hypercube, GoesWithPowersOfTwoAlone) {
  for (int ranks : {2, 4, 8, 1024})
    EXPECT_EQ(find_collective("hypercube")->refuses(ranks), "");
  for (int ranks : {1, 3, 6, 7, 12})
    EXPECT_EQ(find_collective("hypercube")->refuses(ranks), "needs a power of two above one");
}

// A rank whose operation silently does nothing must be seen: the test of the test.
TEST(EveryCollectiveCheck, SeesAnOperationThatDoesNothing) {
  static const Collective idle = [] {
    Collective copy = *find_collective("allreduce");
    copy.run = [](Communicator&, const Call&) {};
    return copy;
  }();
  run_loopback(2, [&](Communicator& communicator) {
    EXPECT_NE(verify_one(communicator, idle, 100, Dtype::float32, Redop::sum, 0, false, 1), "");
    EXPECT_NE(verify_one(communicator, idle, 100, Dtype::float32, Redop::sum, 0, true, 1), "");
  });
}

// The published factors and roundings (nccl-tests v2.19.6, src/<op>.cu).
TEST(Collective, BusFactorsAreThePublishedOnes) {
  const auto factor = [](const char* name, int ranks) { return find_collective(name)->bus_factor(ranks); };
  EXPECT_DOUBLE_EQ(factor("allreduce", 16), 1.875);
  EXPECT_DOUBLE_EQ(factor("allgather", 8), 0.875);
  EXPECT_DOUBLE_EQ(factor("reducescatter", 8), 0.875);
  EXPECT_DOUBLE_EQ(factor("alltoall", 4), 0.75);
  EXPECT_DOUBLE_EQ(factor("alltoallv", 4), 0.75);
  EXPECT_DOUBLE_EQ(factor("hypercube", 8), 0.875);
  EXPECT_DOUBLE_EQ(factor("gather", 4), 0.75);
  EXPECT_DOUBLE_EQ(factor("scatter", 4), 0.75);
  for (const char* name : {"broadcast", "reduce", "sendrecv"})
    EXPECT_DOUBLE_EQ(factor(name, 5), 1);
}

TEST(Collective, ChunkedSizesRoundDownToSixteenBytesARank) {
  const Collective& allgather = *find_collective("allgather");
  EXPECT_EQ(count_of(allgather, 1 << 20, 3, 4),
            87380u);  // 1 MiB / 4 / 3 = 87381.3, down to a multiple of 4 elements
  EXPECT_EQ(bytes_of(allgather, 87380, 3, 4), 1048560u);
  EXPECT_EQ(count_of(allgather, 40, 3, 4), 0u);
  EXPECT_EQ(count_of(allgather, 48, 3, 4), 4u);
  EXPECT_EQ(count_of(allgather, 48, 3, 1), 16u);
  EXPECT_EQ(count_of(allgather, 100, 3, 8), 4u);
  const Collective& allreduce = *find_collective("allreduce");
  EXPECT_EQ(count_of(allreduce, 1'000'003, 3, 4), 250'000u);
  EXPECT_EQ(bytes_of(allreduce, 250'000, 3, 4), 1'000'000u);
}

TEST(Loopback, ARankThatThrowsReleasesTheOthers) {
  EXPECT_THROW(run_loopback(3,
                            [](Communicator& communicator) {
                              if (communicator.control().rank() == 1) throw std::runtime_error("no more");
                              for (;;)
                                communicator.control().barrier();
                            }),
               std::exception);
}

}  // namespace
}  // namespace mlc
