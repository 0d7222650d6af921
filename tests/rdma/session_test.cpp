// Whole sessions between ends in one process, over verbs that move data by memcpy and fail on demand.
#include "bench/rdma/session.hpp"

#include <gmock/gmock.h>

#include <mutex>

#include "bench/backends/loopback.hpp"
#include "bench/rdma/judge.hpp"
#include "tests/rdma/fake_verbs.hpp"

namespace mlc::rdma {

namespace {

using fake::Fabric;
using testing::AllOf;
using testing::HasSubstr;

std::vector<RailFacts> rails(int count) {
  std::vector<RailFacts> list;
  for (int i = 0; i < count; ++i) {
    const std::string n = std::to_string(i);
    list.push_back({.index = i,
                    .device = "dev" + n,
                    .netdev = "eth" + n,
                    .gid = "0000:0000:0000:0000:0000:ffff:0a00:0" + n + "01",
                    .gid_index = 3,
                    .network = "10.0." + n + ".0/24",
                    .rate_gbit_s = 200});
  }
  return list;
}

Plan quick(Verb verb = Verb::write) {
  Plan plan;
  plan.verb = verb;
  plan.sizes = {4096};
  plan.pairs = 2, plan.depth = 16;
  plan.iterations = 100;
  plan.timeout_s = 5;
  plan.retests = 0;
  return plan;
}

struct Run {
  std::vector<Meet> meets;
  std::vector<NodeFacts> ends;
  std::string never_planted;
};

// Every end sees the same results: those of end 0 are returned, and compared with the others'.
Run run(Fabric& fabric, const Plan& plan, int ends = 2, int rail_count = 2, const Bounds& bounds = {},
        const std::function<void(int, EndSettings&)>& change = {}) {
  std::mutex mutex;
  Run first;
  std::vector<std::size_t> counts;
  run_loopback(ends, [&](Communicator& communicator) {
    const int end = communicator.control().rank();
    const auto verbs = fabric.verbs(end);
    EndSettings settings{
        .node = "node" + std::to_string(end), .version = "test", .rails = rails(rail_count), .cpus = 1};
    if (change) change(end, settings);
    Session session(communicator.control(), *verbs, plan, std::move(settings), true);
    const auto meets = session.run(
        [&](const auto& result, const auto& meet) { return calls_for_retest(result, meet, plan, bounds); },
        [](const auto&) {});
    const std::lock_guard lock(mutex);
    std::size_t count = 0;
    for (const auto& meet : meets)
      count += meet.results.size();
    counts.push_back(count);
    if (end == 0) first = {meets, session.ends(), session.never_planted()};
  });
  for (std::size_t count : counts)
    EXPECT_EQ(count, counts.front());
  return first;
}

class EveryVerb : public testing::TestWithParam<Verb> {};
INSTANTIATE_TEST_SUITE_P(Verbs, EveryVerb, testing::Values(Verb::write, Verb::read, Verb::send),
                         [](const auto& verb) { return std::string(to_string(verb.param)); });

TEST_P(EveryVerb, MovesAndVerifiesAloneAndTogetherBothWaysRound) {
  Fabric fabric;
  const auto result = run(fabric, quick(GetParam()));
  ASSERT_EQ(result.meets.size(), 1u);
  // Two directions of: two rails alone, two together.
  ASSERT_EQ(result.meets[0].results.size(), 8u);
  for (const auto& lane : result.meets[0].results) {
    EXPECT_EQ(lane.error, "");
    ASSERT_TRUE(lane.wrong.has_value());
    EXPECT_EQ(*lane.wrong, 0u) << lane.first_wrong;
    EXPECT_GT(lane.report.mean_gbit_s, 0);
    EXPECT_THAT(lane.report.sent, testing::ElementsAre(100, 100));
    EXPECT_EQ(lane.report.stop, "fixed");
    EXPECT_EQ(lane.mtu, 4096);
  }
  EXPECT_EQ(result.meets[0].results[0].from, 0);
  EXPECT_EQ(result.meets[0].results[4].from, 1);
  EXPECT_TRUE(result.meets[0].results[2].together && result.meets[0].results[3].together);
}

TEST_P(EveryVerb, BothDirectionsAtTheSameTime) {
  Fabric fabric;
  Plan plan = quick(GetParam());
  plan.both_directions = true;
  const auto result = run(fabric, plan);
  ASSERT_EQ(result.meets[0].results.size(), 8u);
  for (const auto& lane : result.meets[0].results) {
    EXPECT_EQ(lane.error, "");
    EXPECT_TRUE(lane.both_directions);
    EXPECT_EQ(lane.wrong.value_or(99), 0u) << lane.first_wrong;
  }
}

TEST_P(EveryVerb, ByTimeUntilTheMedianIsKnown) {
  Fabric fabric;
  Plan plan = quick(GetParam());
  plan.iterations.reset(), plan.seconds = 0.3, plan.window_s = 0.002, plan.one_way = true;
  const auto result = run(fabric, plan, 2, 1);
  const auto& lane = result.meets[0].results.at(0);
  EXPECT_EQ(lane.error, "");
  EXPECT_GT(lane.report.windows, 0u);
  EXPECT_GT(lane.report.median_gbit_s, 0);
  EXPECT_LE(lane.report.ci_gbit_s[0], lane.report.median_gbit_s);
  EXPECT_THAT(lane.report.stop, testing::AnyOf("precise", "time"));
  EXPECT_EQ(lane.wrong.value_or(99), 0u);
}

TEST_P(EveryVerb, LatencyHasEverySampleInItsHistogram) {
  Fabric fabric;
  Plan plan = quick(GetParam());
  plan.mode = Mode::latency, plan.sizes = {8}, plan.iterations = 50;
  const auto result = run(fabric, plan, 2, 1);
  ASSERT_EQ(result.meets[0].results.size(), 2u);
  for (const auto& lane : result.meets[0].results) {
    EXPECT_EQ(lane.error, "");
    ASSERT_EQ(lane.report.latency_us.size(), 6u);
    EXPECT_LE(lane.report.latency_us[0], lane.report.latency_us[3]);
    std::uint64_t count = 0;
    for (auto each : lane.report.counts)
      count += each;
    EXPECT_EQ(count, 50u);
    EXPECT_EQ(lane.wrong.value_or(99), 0u) << lane.first_wrong;
  }
}

TEST_P(EveryVerb, OddSizesAndOneByte) {
  Fabric fabric;
  Plan plan = quick(GetParam());
  plan.sizes = {1, 7, 4097, 100'001}, plan.one_way = true;
  const auto result = run(fabric, plan, 2, 1);
  for (const auto& lane : result.meets[0].results)
    EXPECT_EQ(lane.error + std::to_string(lane.wrong.value_or(99)), "0")
        << lane.bytes << " " << lane.first_wrong;
}

TEST_P(EveryVerb, AFlippedBitIsFoundAndDescribed) {
  Fabric fabric;
  Plan plan = quick(GetParam());
  plan.one_way = true;
  // The data of a read is received by the end that reads.
  const int receiver = GetParam() == Verb::read ? 0 : 1;
  const auto result = run(fabric, plan, 2, 2, {}, [&](int end, EndSettings& settings) {
    if (end == receiver) settings.fault = Fault{.kind = Fault::Kind::flip, .place = 1, .index = 0, .bit = 3};
  });
  for (const auto& lane : result.meets[0].results) {
    EXPECT_EQ(lane.wrong.value_or(99), lane.rail == 1 ? 1u : 0u);
    if (lane.rail == 1) {
      EXPECT_THAT(lane.first_wrong, AllOf(HasSubstr("bit 3 flipped"), HasSubstr("byte 0")));
    }
  }
}

TEST_P(EveryVerb, DataThatNeverCameIsFound) {
  Fabric fabric;
  fabric.faults(0, "dev0").loses_data = true;
  Plan plan = quick(GetParam());
  plan.one_way = true;
  const auto lane = run(fabric, plan, 2, 1).meets[0].results.at(0);
  EXPECT_GT(lane.wrong.value_or(0), 0u);
}

TEST(Session, AMessageThatArrivesCorruptIsFound) {
  Fabric fabric;
  fabric.faults(0, "dev0").corrupt_message = 199;  // the last one, so that none overwrites it
  Plan plan = quick();
  plan.one_way = true, plan.solo = true, plan.together = false;
  plan.sizes = {1 << 20};
  EXPECT_EQ(run(fabric, plan, 2, 1).meets[0].results.at(0).wrong.value_or(0), 1u);
}

TEST(Session, SettingsReachTheQueuePairs) {
  Fabric fabric;
  Plan plan = quick();
  plan.mode = Mode::rate, plan.sizes = {64}, plan.chain = 4, plan.moderation = 8, plan.inline_bytes = 64;
  plan.traffic_class = 104, plan.mtu = 1024, plan.one_way = true;
  const auto result = run(fabric, plan, 2, 1);
  EXPECT_EQ(result.meets[0].results.at(0).error, "");
  EXPECT_EQ(result.meets[0].results.at(0).mtu, 1024);
  EXPECT_EQ(fabric.most_chain(), 4);
  EXPECT_EQ(fabric.traffic_class(), 104);
  EXPECT_EQ(fabric.path_mtu(), 1024);
  EXPECT_THAT(fabric.inlined(), testing::ElementsAre(64));
  // 100 messages on each of 2 pairs, in groups of 8: 13 of 100 are signalled.
  EXPECT_EQ(fabric.unsignalled(), 2 * (100u - 13u));
}

TEST(Session, ThePathHasTheSmallerMtu) {
  Fabric fabric;
  fabric.faults(1, "dev0").active_mtu = 1024;
  Plan plan = quick();
  plan.one_way = true;
  EXPECT_EQ(run(fabric, plan, 2, 1).meets[0].results.at(0).mtu, 1024);
}

TEST(Session, InlineFallsBackWhereItWasNotAskedFor) {
  Fabric fabric;
  fabric.faults(0, "dev0").most_inline = 0;
  fabric.faults(1, "dev0").most_inline = 0;
  Plan plan = quick();
  plan.mode = Mode::latency, plan.sizes = {64};
  EXPECT_EQ(run(fabric, plan, 2, 1).meets[0].results.at(0).error, "");
  plan.inline_bytes = 64;
  EXPECT_THAT(run(fabric, plan, 2, 1).meets[0].results.at(0).error, HasSubstr("ibv_create_qp"));
}

TEST(Session, RtrThatTimesOutNamesRailGidPeerAndTheChecksToRun) {
  Fabric fabric;
  fabric.faults(1, "dev1").rtr_errno = ETIMEDOUT;
  const auto result = run(fabric, quick());
  for (const auto& lane : result.meets[0].results) {
    if (lane.rail == 0) {
      EXPECT_EQ(lane.error, "") << "the other rail goes on";
      continue;
    }
    EXPECT_THAT(lane.error,
                AllOf(HasSubstr("to RTR: Connection timed out"), HasSubstr("rail 1 (dev1, eth1) of node1"),
                      HasSubstr("GID 3 10.0.1.1"), HasSubstr("of node0")));
    EXPECT_THAT(lane.remedy,
                AllOf(HasSubstr("ip route get"), HasSubstr("ip neigh"), HasSubstr("net.rail-routes")));
  }
}

TEST(Session, RetriesThatRunOutAreARailsFault) {
  Fabric fabric;
  fabric.faults(0, "dev1").retry_exceeded_after = 30;
  Plan plan = quick();
  plan.one_way = true;
  const auto result = run(fabric, plan);
  for (const auto& lane : result.meets[0].results) {
    if (lane.rail == 0)
      EXPECT_EQ(lane.error, "");
    else
      EXPECT_THAT(lane.error, AllOf(HasSubstr("write: transport retry counter exceeded"),
                                    HasSubstr("rail 1 (dev1, eth1)")));
  }
}

TEST(Session, ARailThatFallsSilentIsGivenUpWithinTheDeadline) {
  for (const Verb verb : {Verb::write, Verb::send}) {
    Fabric fabric;
    fabric.faults(0, "dev0").silent_after = 10;
    Plan plan = quick(verb);
    plan.one_way = true, plan.timeout_s = 0.5;
    const auto lane = run(fabric, plan, 2, 1).meets[0].results.at(0);
    EXPECT_THAT(lane.error, HasSubstr("no completion for 0.5 s"));
  }
}

TEST(Session, APingPongWithoutAnswerIsGivenUp) {
  for (const Verb verb : {Verb::write, Verb::read, Verb::send}) {
    Fabric fabric;
    fabric.faults(0, "dev0").silent_after = 5;
    fabric.faults(0, "dev0").loses_data = true;
    Plan plan = quick(verb);
    plan.mode = Mode::latency, plan.sizes = {8}, plan.one_way = true, plan.timeout_s = 0.5;
    EXPECT_THAT(run(fabric, plan, 2, 1).meets[0].results.at(0).error, HasSubstr("no answer for 0.5 s"))
        << to_string(verb);
  }
}

TEST(Session, AHungSenderIsNamed) {
  Fabric fabric;
  Plan plan = quick();
  plan.one_way = true, plan.timeout_s = 0.5;
  const auto result = run(fabric, plan, 2, 2, {}, [](int end, EndSettings& settings) {
    if (end == 0) settings.fault = Fault{.kind = Fault::Kind::hang, .place = 1, .after = 20};
  });
  for (const auto& lane : result.meets[0].results) {
    if (lane.rail == 0)
      EXPECT_EQ(lane.error, "");
    else
      EXPECT_THAT(lane.error, HasSubstr("no completion for 0.5 s on rail 1"));
  }
}

TEST(Session, AFaultThatWasNeverPlantedIsSaid) {
  for (const auto& [fault, says] :
       {std::pair{Fault{.kind = Fault::Kind::hang, .place = 1, .after = 1'000'000},
                  "after=1000000 lets more pass"},
        std::pair{Fault{.kind = Fault::Kind::delay, .place = 1, .delay_us = 1}, ""}}) {
    Fabric fabric;
    const auto result = run(fabric, quick(), 2, 2, {}, [&](int end, EndSettings& settings) {
      if (end == 0) settings.fault = fault;
    });
    if (*says == '\0')
      EXPECT_EQ(result.never_planted, "");
    else
      EXPECT_THAT(result.never_planted, testing::HasSubstr(says));
  }
}

TEST(Session, MemoryThatCannotBeRegisteredIsTheRailsProblem) {
  Fabric fabric;
  fabric.faults(1, "dev0").register_errno = ENOMEM;
  fabric.faults(0, "dev1").open_errno = EACCES;
  const auto result = run(fabric, quick());
  for (const auto& lane : result.meets[0].results) {
    if (lane.rail == 0)
      EXPECT_THAT(lane.error + lane.remedy,
                  AllOf(HasSubstr("ibv_reg_mr: Cannot allocate memory"), HasSubstr("memlock")));
    else
      EXPECT_THAT(lane.error, HasSubstr("ibv_open_device: Permission denied"));
  }
}

TEST(Session, ASlowRailIsJudgedByItsSiblingsAfterAnotherTry) {
  Fabric fabric;
  for (int rail = 0; rail < 4; ++rail)
    fabric.faults(0, "dev" + std::to_string(rail)).gbit_s = rail == 2 ? 0.05 : 1;
  Plan plan = quick();
  plan.one_way = true, plan.together = false, plan.retests = 1, plan.sizes = {65536}, plan.iterations = 20;
  const Bounds bounds{.siblings_at_least = 0.5};
  const auto result = run(fabric, plan, 2, 4, bounds);
  for (const auto& lane : result.meets[0].results) {
    const auto judged = judge(lane, result.meets[0], plan, bounds);
    EXPECT_EQ(judged.status, lane.rail == 2 ? Status::fail : Status::pass) << lane.rail << " " << judged.why;
    EXPECT_EQ(lane.attempts, lane.rail == 2 ? 2 : 1);
  }
}

TEST(Session, AQuestionIsAnsweredWithErrorBounds) {
  Fabric fabric;
  fabric.faults(0, "dev0").gbit_s = 0.2;
  Plan plan = quick();
  plan.one_way = true, plan.sizes = {4096}, plan.iterations.reset(), plan.window_s = 0.002,
  plan.question_from = 1;
  plan.depth = 256;  // the machine may be busy with other tests: the rail must not run dry meanwhile
  plan.question = RailQuestion{.gbit_s = 0.01};
  EXPECT_EQ(run(fabric, plan, 2, 1).meets[0].results.at(0).report.answer, 1);
  plan.question->gbit_s = 10;
  const auto lane = run(fabric, plan, 2, 1).meets[0].results.at(0);
  EXPECT_EQ(lane.report.answer, -1);
  EXPECT_EQ(lane.report.stop, "decided");
}

TEST(Session, EveryNodeMeetsEveryOther) {
  Fabric fabric;
  Plan plan = quick();
  plan.solo = false, plan.one_way = true;
  const auto result = run(fabric, plan, 5);
  ASSERT_EQ(result.meets.size(), 10u);
  std::set<Meeting> met;
  for (const auto& meet : result.meets) {
    met.insert(meet.ends);
    ASSERT_EQ(meet.results.size(), 2u);
    for (const auto& lane : meet.results) {
      EXPECT_EQ(lane.error, "");
      EXPECT_EQ(lane.from, meet.ends.first);
    }
  }
  EXPECT_EQ(met.size(), 10u);
}

TEST(Session, NodesWithFewerRailsMeetWithThoseThatMatch) {
  Fabric fabric;
  Plan plan = quick();
  plan.one_way = true;
  const auto result = run(fabric, plan, 2, 3, {}, [](int end, EndSettings& settings) {
    if (end == 1) settings.rails.erase(settings.rails.begin() + 1);
  });
  ASSERT_EQ(result.meets[0].lanes.size(), 2u);
  Report report;
  write_to_report(report, result.meets, plan, {}, result.ends);
  EXPECT_THAT(report.findings,
              testing::Contains(
                  testing::AllOf(testing::Field(&Finding::subject, HasSubstr("node0 rail 1")),
                                 testing::Field(&Finding::status, Status::fail),
                                 testing::Field(&Finding::observed, HasSubstr("node1 has no rail for it")))));
}

TEST(Session, TheMatrixMeetsEveryRailWithEveryRail) {
  Fabric fabric;
  Plan plan = quick();
  plan.matrix = true;
  const auto result = run(fabric, plan);
  EXPECT_EQ(result.meets[0].results.size(), 8u);
  Report report;
  write_to_report(report, result.meets, plan, {}, result.ends);
  ASSERT_EQ(report.figures.matrices.size(), 2u);
  EXPECT_EQ(report.figures.matrices[0].kind, "rail");
  for (const auto& value : report.figures.matrices[0].values)
    EXPECT_TRUE(value.has_value());
}

TEST(Session, AnotherVersionIsAnError) {
  Fabric fabric;
  EXPECT_THROW(run(fabric, quick(), 2, 1, {},
                   [](int end, EndSettings& settings) { settings.version = std::to_string(end); }),
               std::runtime_error);
}

}  // namespace

}  // namespace mlc::rdma
