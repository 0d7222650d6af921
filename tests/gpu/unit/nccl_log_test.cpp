#include "bench/backends/nccl_log.hpp"

#include <gmock/gmock.h>

#include "bench/engine/verdict_of_cell.hpp"
#include "bench/engine/wire.hpp"

namespace mlc {
namespace {

TEST(NcclLog, AlgorithmProtocolAndChannelsAreRead) {
  const auto tuning = tuning_of_line(
      "gpu-a:4711:4712 [0] NCCL INFO AllReduce: 1048576 Bytes -> Algo RING proto LL128 "
      "channel{Lo..Hi}={0..15}");
  ASSERT_TRUE(tuning);
  EXPECT_EQ(tuning->algorithm, "Ring");
  EXPECT_EQ(tuning->protocol, "LL128");
  EXPECT_EQ(tuning->channels, 16);
}

TEST(NcclLog, EveryNameNcclHasUsedIsTheUsualOne) {
  const std::pair<const char*, const char*> names[] = {{"TREE", "Tree"},
                                                       {"0", "Tree"},
                                                       {"NVLS_TREE", "NVLSTree"},
                                                       {"NVLSTree", "NVLSTree"},
                                                       {"5", "NVLSTree"},
                                                       {"COLLNET_DIRECT", "CollnetDirect"},
                                                       {"PAT", "PAT"},
                                                       {"SOMETHING_NEW", "SOMETHING_NEW"}};
  for (const auto& [said, usual] : names) {
    const auto tuning =
        tuning_of_line("x Bytes -> Algo " + std::string(said) + " proto SIMPLE channel{Lo..Hi}={2..3}");
    ASSERT_TRUE(tuning) << said;
    EXPECT_EQ(tuning->algorithm, usual);
    EXPECT_EQ(tuning->protocol, "Simple");
    EXPECT_EQ(tuning->channels, 2);
  }
}

TEST(NcclLog, HostileAndCutLinesAreNothing) {
  for (const char* line :
       {"", "Bytes -> Algo", "8 Bytes -> Algo RING", "8 Bytes -> Algo RING proto LL channel{Lo..Hi}={",
        "8 Bytes -> Algo RING proto LL channel{Lo..Hi}={5..2}",
        "8 Bytes -> Algo RING proto LL channel{Lo..Hi}={0..99999999999}",
        "8 Bytes -> Algo RING proto LL channel{Lo..Hi}={-1..2}"})
    EXPECT_FALSE(tuning_of_line(line)) << line;
  const auto hostile = tuning_of_line("8 Bytes -> Algo \x1b[2J proto \x07 channel{Lo..Hi}={0..0}");
  ASSERT_TRUE(hostile);
  EXPECT_EQ(hostile->algorithm.find('\x1b'), std::string::npos);
}

TEST(NcclLog, TheLastOperationCountsAndWarningsComeOnce) {
  const std::string log =
      "\na:1:2 [0] misc/socket.cc:50 (fn) NCCL WARN Connect to 10.0.0.1<443> failed : Connection refused\n"
      "a:1:2 [0] NCCL INFO AllReduce: 8 Bytes -> Algo TREE proto LL channel{Lo..Hi}={0..1}\n"
      "\na:1:3 [0] misc/socket.cc:50 NCCL WARN Connect to 10.0.0.1<443> failed : Connection refused\n"
      "a:1:2 [0] NCCL INFO AllReduce: 8 Bytes -> Algo RING proto LL channel{Lo..Hi}={0..0}\n"
      "a:1:2 [0] x.cc:1 NCCL WARN second";
  EXPECT_EQ(last_tuning(log)->algorithm, "Ring");
  EXPECT_THAT(
      all_warnings(log),
      ::testing::ElementsAre("NCCL: Connect to 10.0.0.1<443> failed : Connection refused", "NCCL: second"));
  EXPECT_TRUE(all_warnings("").empty());
  EXPECT_FALSE(last_tuning("NCCL INFO nothing of it\n"));
}

TEST(Wire, ATreeOnTwoNodesSendsEachByteOnce) {
  const Collective& allreduce = *find_collective("allreduce");
  EXPECT_EQ(wire_factor(allreduce, "Tree", 2, 16), 1.0);
  EXPECT_EQ(wire_factor(allreduce, "NVLSTree", 2, 16), 1.0);
  EXPECT_DOUBLE_EQ(*wire_factor(allreduce, "Ring", 2, 16), 1.875);  // 2 x 15 / 16: busbw is the wire
  EXPECT_FALSE(wire_factor(allreduce, "Tree", 4, 32));              // not known
  EXPECT_FALSE(wire_factor(allreduce, "Ring", 1, 8));               // nothing crosses
  EXPECT_FALSE(wire_factor(*find_collective("alltoall"), "Tree", 2, 16));
}

// 90 GB/s asked of busbw; a tree on two nodes of 8 shows 93.75 with 50 on the wire.
TEST(Wire, TheGateJudgesTheWire) {
  const double bytes = 1 << 30, seconds = bytes / 50e9;
  Question question{.metric = Question::Metric::wire_gb_s, .bound = 90};
  CellJudge judge(question, bytes * 1.0, false);
  const std::vector<double> times(60, seconds);
  judge.add(times, 60 * seconds);
  const auto judgement = judge.judgement(50);
  EXPECT_EQ(judgement.status, Status::fail);
  EXPECT_EQ(judgement.metric, "wire_gb_s");
  EXPECT_THAT(judgement.why, ::testing::HasSubstr("on the wire 50.00 GB/s"));
  question.metric = Question::Metric::busbw_gb_s;
  CellJudge fooled(question, bytes * 1.875, false);
  fooled.add(times, 60 * seconds);
  EXPECT_EQ(fooled.judgement(93.75).status, Status::pass);  // what a gate on busbw would have said
}

}  // namespace
}  // namespace mlc
