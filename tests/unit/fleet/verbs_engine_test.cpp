// Two ends in one process over a fake of verbs: both count, a dead rail stops no other, nothing hangs.
#include "bench/fleet/measurement/verbs_engine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "tests/rdma/fake_verbs.hpp"

namespace mlc::fleet {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TestTerms short_test() {
  return {.token = std::string(token_bytes, 't'),
          .plan = {.first = 0, .second = 1},
          .warm_up_s = .1,
          .test_s = .6,
          .connect_s = 1};
}

rdma::RailFacts rail_of(const char* device) { return {.device = device, .gid_index = 3, .rate_gbit_s = 1}; }

struct Ends {
  rdma::fake::Fabric fabric;
  std::unique_ptr<rdma::Verbs> verbs[2] = {fabric.verbs(0), fabric.verbs(1)};
  std::unique_ptr<Engine> engines[2];
  std::vector<RailSides> seen[2];

  Ends() {
    for (const char* device : {"mlx5_0", "mlx5_1"})
      for (const int end : {0, 1})
        fabric.faults(end, device).gbit_s = .5;
  }
  void open() {
    for (const int end : {0, 1})
      engines[end] = verbs_engine(*verbs[end], {rail_of("mlx5_0"), rail_of("mlx5_1")},
                                  {.message_bytes = 16 << 10, .depth = 8, .files = FileTree("/nowhere")});
  }
  void measure() {
    open();
    const auto first = engines[0]->begin(short_test()), second = engines[1]->begin(short_test());
    const auto from_first = first->offer(), from_second = second->offer();
    first->connect(from_second), second->connect(from_first);
    std::jthread there([&] { seen[1] = second->measure([] { return true; }); });
    seen[0] = first->measure([] { return true; });
    there.join();
  }
};

TEST(VerbsEngine, BothEndsCountTheSameOfEachRailAndWay) {
  Ends ends;
  ends.measure();
  for (std::size_t rail = 0; rail < 2; ++rail)
    for (const int end : {0, 1}) {
      const auto &sent = ends.seen[end][rail].sent, &received = ends.seen[1 - end][rail].received;
      EXPECT_THAT(sent.error, IsEmpty());
      EXPECT_THAT(received.error, IsEmpty());
      EXPECT_GT(received.sum(), 0);
      for (const double each : received.gbit_s)
        EXPECT_GT(each, 0) << "each queue pair carries its part";
    }
  EXPECT_THAT(disagreement({ends.seen[0], ends.seen[1]}, "a", "b"), IsEmpty());
}

TEST(VerbsEngine, ADeviceThatDoesNotOpenIsARailWithAProblem) {
  Ends ends;
  ends.fabric.faults(1, "mlx5_1").open_errno = EIO;
  ends.measure();
  EXPECT_THAT(ends.engines[1]->rails()[1].problem, HasSubstr("mlx5_1: "));
  EXPECT_THAT(ends.seen[0][0].received.error, IsEmpty());
  EXPECT_THAT(ends.seen[0][1].sent.error, HasSubstr("the other end: mlx5_1: "));
  EXPECT_THAT(ends.seen[1][1].received.error, HasSubstr("mlx5_1: "));
}

TEST(VerbsEngine, ARailThatDiesIsDeadAndTheOthersGoOn) {
  Ends ends;
  ends.fabric.faults(0, "mlx5_1").retry_exceeded_after = 3;
  ends.measure();
  EXPECT_THAT(ends.seen[0][1].sent.error, HasSubstr("mlx5_1: send: "));
  EXPECT_THAT(ends.seen[0][0].sent.error, IsEmpty());
  const auto flows = flows_of({ends.seen[0], ends.seen[1]}, 1);
  EXPECT_FALSE(flows[0].dead);
  EXPECT_TRUE(flows[2].dead);
}

TEST(VerbsEngine, ATransitionThatIsRefusedIsToldByTheEndThatSawIt) {
  Ends ends;
  ends.fabric.faults(0, "mlx5_0").rtr_errno = EINVAL;
  ends.measure();
  EXPECT_THAT(ends.seen[0][0].sent.error, HasSubstr("mlx5_0: "));
  EXPECT_THAT(ends.seen[0][1].sent.error, IsEmpty());
}

TEST(VerbsEngine, OffersOfAnotherKindAreRefused) {
  Ends ends;
  ends.open();
  const auto first = ends.engines[0]->begin(short_test());
  EXPECT_ANY_THROW(first->connect(nlohmann::json::array()));
  EXPECT_ANY_THROW(first->connect({{{"gid", 3}}, {{"gid", 3}}}));
}

TEST(VerbsEngine, ATestThatIsToldToEndSaysSo) {
  Ends ends;
  ends.open();
  const auto first = ends.engines[0]->begin(short_test()), second = ends.engines[1]->begin(short_test());
  first->connect(second->offer()), second->connect(first->offer());
  EXPECT_THAT(first->measure([] { return false; })[0].sent.error, HasSubstr("told to end"));
}

// As verbs.h folds a label into a source port.
TEST(FlowLabel, GivesEachPortItsOwn) {
  const auto port_of = [](std::uint32_t label) { return 0xc000 | ((label ^ (label >> 14)) & 0x3fff); };
  for (int port = 0; port < source_ports; ++port) {
    EXPECT_NE(flow_label_of(port), 0u);
    EXPECT_EQ(port_of(flow_label_of(port)), 0xc000u + static_cast<unsigned>(port) + 1);
  }
}

TEST(Counters, OfAPortOfTheWayAndOfPausesAreToldApart) {
  EXPECT_EQ(growth_of({}), CounterGrowth{});
  EXPECT_EQ(growth_of({{"counters/symbol_error", 3}}), (CounterGrowth{.port = true}));
  EXPECT_EQ(growth_of({{"hw_counters/out_of_sequence", 3}, {"hw_counters/duplicate_request", 0}}),
            (CounterGrowth{.transport = true}));
  EXPECT_EQ(growth_of({{"ethtool/tx_prio3_pause", 9}}), (CounterGrowth{.pause_sent = true}));
  EXPECT_EQ(growth_of({{"ethtool/rx_prio3_pause", 9}, {"net/rx_dropped", 2}}), CounterGrowth{})
      << "somebody downstream";
  EXPECT_EQ(growth_of({{"counters/link_downed", 1}, {"hw_counters/local_ack_timeout_err", 1}}),
            (CounterGrowth{.port = true, .transport = true}));
}

}  // namespace
}  // namespace mlc::fleet
