// The pure parts of bench/rdma.
#include <gmock/gmock.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "bench/ranks/frame.hpp"
#include "bench/rdma/connection.hpp"
#include "bench/rdma/counters.hpp"
#include "bench/rdma/failure.hpp"
#include "bench/rdma/gid.hpp"
#include "bench/rdma/lane.hpp"
#include "bench/rdma/nearest_gpu.hpp"
#include "bench/rdma/pairing.hpp"
#include "bench/rdma/plan.hpp"
#include "bench/rdma/rates.hpp"
#include "bench/stats/histogram.hpp"
#include "validators/host/numa.hpp"

namespace mlc::rdma {

namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Pairing, EveryTwoMeetOnceInDisjointRounds) {
  for (int count = 0; count <= 33; ++count) {
    const auto rounds = circle_rounds(count);
    EXPECT_EQ(static_cast<int>(rounds.size()), count < 2 ? 0 : count % 2 == 0 ? count - 1 : count) << count;
    std::set<Meeting> met;
    for (const auto& round : rounds) {
      std::set<int> busy;
      EXPECT_EQ(static_cast<int>(round.size()), count / 2);
      for (const auto& meeting : round) {
        EXPECT_LT(meeting.first, meeting.second);
        EXPECT_TRUE(busy.insert(meeting.first).second && busy.insert(meeting.second).second);
        EXPECT_TRUE(met.insert(meeting).second);
      }
    }
    EXPECT_EQ(static_cast<int>(met.size()), count * (count - 1) / 2);
  }
}

RailAddress rail(int index, const char* network) { return {index, parse_prefix(network)}; }

TEST(Pairing, RailsOfOneSubnetBelongTogether) {
  EXPECT_THAT(pair_rails({rail(0, "10.0.0.1/24"), rail(1, "10.0.1.1/24")},
                         {rail(0, "10.0.1.2/24"), rail(1, "10.0.0.2/24")}),
              ElementsAre(RailPair{0, 1}, RailPair{1, 0}));
}

TEST(Pairing, RoutedOrUnknownRailsGoByIndex) {
  const auto straight = ElementsAre(RailPair{0, 0}, RailPair{1, 1});
  EXPECT_THAT(pair_rails({rail(0, "10.0.0.1/24"), rail(1, "10.0.1.1/24")},
                         {rail(0, "10.9.0.2/24"), rail(1, "10.9.1.2/24")}),
              straight);
  EXPECT_THAT(
      pair_rails({rail(0, "10.0.0.1/24"), rail(1, "")}, {rail(0, "10.0.0.2/24"), rail(1, "10.0.1.2/24")}),
      straight);
  // All rails in one subnet: it says nothing.
  EXPECT_THAT(pair_rails({rail(0, "10.0.0.1/16"), rail(1, "10.0.1.1/16")},
                         {rail(0, "10.0.0.2/16"), rail(1, "10.0.1.2/16")}),
              straight);
  EXPECT_THAT(pair_rails({rail(0, ""), rail(2, "")}, {rail(1, ""), rail(2, "")}),
              ElementsAre(RailPair{1, 1}));
  EXPECT_TRUE(pair_rails({}, {rail(0, "")}).empty());
  EXPECT_EQ(all_pairs(2, 3).size(), 6u);
}

TEST(Rates, TheCeilingIsThatOfTheWire) {
  EXPECT_NEAR(ceiling_gbit_s(200, 4096, 1 << 20), 196.07, 0.01);
  EXPECT_NEAR(ceiling_gbit_s(200, 1024, 1 << 20), 185.17, 0.01);
  EXPECT_NEAR(ceiling_gbit_s(400, 2048, 1 << 20), 384.60, 0.01);
  // A message shorter than the MTU is a packet by itself.
  EXPECT_NEAR(ceiling_gbit_s(200, 4096, 82), 100, 1e-9);
}

TEST(Rates, SiblingsAreTheOthers) {
  EXPECT_THAT(over_siblings(std::vector<double>{200, 200, 20, 200}),
              ElementsAre(testing::Optional(1.0), testing::Optional(1.0), testing::Optional(0.1),
                          testing::Optional(1.0)));
  EXPECT_THAT(over_siblings(std::vector<double>{200, 20}),
              ElementsAre(testing::Optional(10.0), testing::Optional(0.1)));
  EXPECT_THAT(over_siblings(std::vector<double>{200}), ElementsAre(std::nullopt));
  EXPECT_THAT(over_siblings(std::vector<double>{5, 0, 0}),
              ElementsAre(std::nullopt, testing::Optional(0.0), testing::Optional(0.0)));
  EXPECT_TRUE(over_siblings({}).empty());
}

// 1 Gbit/s: 125 000 bytes a millisecond.
TEST(RateMeter, WindowsEndWithACompletion) {
  RateMeter meter(0.01, 0.02, std::nullopt);
  double now = 5;
  for (int i = 0; i < 20; ++i)
    meter.add(125'000, now += 0.001);
  EXPECT_EQ(meter.windows(), 0u) << "warm-up";
  meter.start(now);
  // Completions every 7 ms: a window takes two of them.
  for (int i = 0; i < 60; ++i)
    meter.add(7 * 125'000, now += 0.007);
  EXPECT_EQ(meter.windows(), 30u);
  EXPECT_NEAR(meter.median_gbit_s(), 1, 1e-9);
  EXPECT_NEAR(meter.mean_gbit_s(), 1, 1e-9);
  EXPECT_TRUE(meter.decided());
}

TEST(RateMeter, AnswersItsQuestionOrRunsOutOfWindows) {
  for (const double rate : {2.0, 0.5}) {
    RateMeter meter(0.001, 0.02, RailQuestion{.gbit_s = 1, .max_windows = 60});
    double now = 0;
    meter.start(now);
    while (!meter.decided() && !meter.exhausted())
      meter.add(static_cast<std::uint64_t>(rate * 125'000), now += 0.001);
    EXPECT_EQ(meter.ruling().conclusion, rate > 1 ? Conclusion::at_least : Conclusion::below);
  }
  RateMeter meter(0.001, 0.02, RailQuestion{.gbit_s = 1, .max_windows = 10});
  double now = 0;
  meter.start(now);
  for (int i = 0; i < 100 && !meter.exhausted(); ++i)
    meter.add(i % 2 == 0 ? 200'000 : 50'000, now += 0.001);
  EXPECT_TRUE(meter.exhausted());
  EXPECT_FALSE(meter.decided());
}

// A rail whose optics throttle while all rails are under load.
TEST(RateMeter, AdmissionObservesAndSeesWhatFallsMeanwhile) {
  for (const bool throttles : {false, true}) {
    RateMeter meter(0.001, 0.02, RailQuestion{.gbit_s = 1, .observe_s = 3});
    double now = 0;
    meter.start(now);
    for (int i = 0; i < 4000 && !meter.decided(); ++i)
      meter.add(throttles && i > 2000 ? 100'000 : 200'000, now += 0.001);
    EXPECT_GE(meter.observed_s(), 3);
    EXPECT_FALSE(meter.exhausted()) << "by windows only where there is no time of observation";
    EXPECT_EQ(meter.decided(), !throttles);
    EXPECT_EQ(meter.ruling().conclusion, throttles ? Conclusion::undecided : Conclusion::at_least);
  }
}

TEST(RateMeter, ALaneThatStallsDoesNotPassByItsMedian) {
  RateMeter meter(0.001, 0.02, RailQuestion{.gbit_s = 1, .max_windows = 60});
  double now = 0;
  meter.start(now);
  for (int i = 0; i < 400 && !meter.exhausted() && !meter.decided(); ++i)
    meter.add(200'000, now += i % 5 == 4 ? 0.02 : 0.001);
  EXPECT_NE(meter.ruling().conclusion, Conclusion::at_least);
}

TEST(RateMeter, NothingMeasuredIsZeroAndNotAPass) {
  const RateMeter meter(0.01, 0.02, std::nullopt);
  EXPECT_EQ(meter.median_gbit_s(), 0);
  EXPECT_EQ(meter.mean_gbit_s(), 0);
  EXPECT_FALSE(meter.decided());
}

TEST(Histogram, HoldsEverySample) {
  std::vector<double> samples;
  for (int i = 1; i <= 1000; ++i)
    samples.push_back(i * 0.1);
  const auto found = latencies_of(samples);
  EXPECT_THAT(found.percentiles_us,
              ElementsAre(50.0, testing::DoubleNear(90, 1e-9), testing::DoubleNear(99, 1e-9),
                          testing::DoubleNear(99.9, 1e-9), 0.1, 100.0));
  ASSERT_EQ(found.edges_us.size(), found.counts.size() + 1);
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < found.counts.size(); ++i) {
    EXPECT_LT(found.edges_us[i], found.edges_us[i + 1]);
    all += found.counts[i];
  }
  EXPECT_EQ(all, samples.size());
  EXPECT_LE(found.edges_us.front(), 0.1);
  EXPECT_GE(found.edges_us.back(), 100);
}

TEST(Histogram, OneSampleZeroAndNone) {
  EXPECT_EQ(latencies_of(std::vector<double>{3}).counts, std::vector<std::uint64_t>{1});
  EXPECT_EQ(latencies_of(std::vector<double>{0, 0}).counts, std::vector<std::uint64_t>{2});
  EXPECT_THROW(latencies_of({}), std::invalid_argument);
}

Gid gid(int index, const char* text, const char* type, const char* netdev = "eth0") {
  return {index, text, type, netdev};
}
const char* const mapped = "0000:0000:0000:0000:0000:ffff:0a0a:0015";
const char* const local = "fe80:0000:0000:0000:5054:00ff:feaa:0000";
const char* const global6 = "fd00:0000:0000:0000:0000:0000:0000:0001";

TEST(GidChoice, IsNcclsChoice) {
  EXPECT_EQ(choose_gid({gid(0, local, "IB/RoCE v1"), gid(1, local, "RoCE v2"), gid(2, mapped, "IB/RoCE v1"),
                        gid(3, mapped, "RoCE v2")},
                       "eth0", {})
                .gid->index,
            3);
  EXPECT_EQ(
      choose_gid({gid(0, local, "RoCE v2"), gid(1, mapped, "RoCE v2"), gid(2, mapped, "RoCE v2")}, "eth0", {})
          .gid->index,
      1);
  EXPECT_EQ(
      choose_gid({gid(0, local, "RoCE v2"), gid(1, mapped, "RoCE v2", "eth0.100")}, "eth0", {}).gid->index, 0)
      << "another interface's GID is not ours";
}

TEST(GidChoice, ALesserGidIsUsedAndSaid) {
  const auto six = choose_gid({gid(0, local, "RoCE v2"), gid(4, global6, "RoCE v2")}, "eth0", {});
  EXPECT_EQ(six.gid->index, 4);
  EXPECT_THAT(six.why, HasSubstr("no IPv4 address"));
  const auto old = choose_gid({gid(0, local, "RoCE v2"), gid(2, mapped, "IB/RoCE v1")}, "eth0", {});
  EXPECT_EQ(old.gid->index, 2);
  EXPECT_THAT(old.why, HasSubstr("RoCE v2 was expected"));
}

TEST(GidChoice, NoneAndAsked) {
  EXPECT_FALSE(choose_gid({}, "eth0", {}).gid);
  EXPECT_THAT(choose_gid({gid(1, mapped, "RoCE v2", "eth9")}, "eth0", {}).why, HasSubstr("eth0 owns no GID"));
  EXPECT_EQ(choose_gid({gid(0, local, "RoCE v2"), gid(1, mapped, "RoCE v2")}, "eth0", 0).gid->index, 0);
  EXPECT_THAT(choose_gid({gid(0, local, "RoCE v2")}, "eth0", 7).why, HasSubstr("GID index 7 is empty"));
}

TEST(Frame, ThereAndBack) {
  for (const std::uint32_t length : {0u, 1u, 65536u, most_payload}) {
    const auto bytes = encode_header({FrameKind::broken, length});
    const auto header = decode_header(bytes);
    EXPECT_EQ(header.kind, FrameKind::broken);
    EXPECT_EQ(header.bytes, length);
  }
}

TEST(Frame, EverythingElseIsRefused) {
  auto bytes = encode_header({FrameKind::message, 5});
  bytes[5] = std::byte{2};
  EXPECT_THROW(decode_header(bytes), VersionError);
  for (const std::size_t at : {0u, 3u, 6u, 7u, 8u}) {
    bytes = encode_header({FrameKind::message, 5});
    bytes[at] = std::byte{0xee};
    EXPECT_THROW(decode_header(bytes), FrameError) << at;
  }
  std::array<std::byte, header_bytes> http;
  std::memcpy(http.data(), "GET / HTTP/1.1", http.size());
  EXPECT_THROW(decode_header(http), FrameError);
}

TEST(Plan, ThereAndBack) {
  Plan plan;
  EXPECT_EQ(plan_from_json(to_json(plan)), plan);
  plan.verb = Verb::send, plan.mode = Mode::latency, plan.sizes = {1, 4096}, plan.iterations = 7;
  plan.question = RailQuestion{.gbit_s = 186.27, .observe_s = 30, .stall_s = 0.1};
  plan.matrix = true, plan.memory = "gpu";
  EXPECT_EQ(plan_from_json(nlohmann::json::parse(to_json(plan).dump())), plan);
}

TEST(Plan, WhatAPeerMayNotAskFor) {
  const std::vector<std::pair<const char*, nlohmann::json>> wrong{
      {"verb", "erase"}, {"sizes", nlohmann::json::array()},
      {"sizes", {0}},    {"sizes", {1ull << 40}},
      {"pairs", 0},      {"pairs", 1 << 20},
      {"depth", -1},     {"depth", "many"},
      {"chain", 65},     {"timeout_s", 0},
      {"seconds", -1},   {"mtu", 9000},
      {"sizes", 3},      {"iterations", 0}};
  for (const auto& [key, value] : wrong) {
    auto json = to_json(Plan{});
    json[key] = value;
    EXPECT_ANY_THROW(plan_from_json(json)) << key << " " << value;
  }
  EXPECT_ANY_THROW(plan_from_json(nlohmann::json::array()));
}

TEST(Plan, ModerationInlineAndChainsFollowPerftest) {
  Plan plan;
  EXPECT_EQ(plan.moderation_for(65536), 1);
  EXPECT_EQ(plan.moderation_for(8192), 64);
  EXPECT_EQ(plan.inline_for(8), 0u);
  plan.mode = Mode::latency;
  EXPECT_EQ(plan.moderation_for(8), 1);
  EXPECT_EQ(plan.inline_for(220), 220u);
  EXPECT_EQ(plan.inline_for(221), 0u);
  plan.verb = Verb::send;
  EXPECT_EQ(plan.inline_for(236), 236u);
  plan.verb = Verb::read;
  EXPECT_EQ(plan.inline_for(8), 0u);
  plan = {};
  plan.mode = Mode::rate, plan.depth = 8, plan.moderation = 100;
  EXPECT_EQ(plan.chain_for(), 8);
  EXPECT_EQ(plan.moderation_for(8) % plan.chain_for(), 0);
  EXPECT_LE(plan.moderation_for(8), plan.depth);
  plan.memory = "gpu", plan.inline_bytes = 64;
  EXPECT_EQ(plan.inline_for(8), 0u) << "a GPU's memory cannot be copied into a work request";
}

TEST(Plan, CellsAreRailsAloneThenTogetherEachWay) {
  Plan plan;
  EXPECT_EQ(cells_of(plan, 4).size(), 10u);
  EXPECT_EQ(cells_of(plan, 1).size(), 2u) << "one rail is alone also together";
  plan.one_way = true;
  EXPECT_EQ(cells_of(plan, 4).size(), 5u);
  EXPECT_TRUE(cells_of(plan, 4).back().together);
  plan.solo = false;
  ASSERT_EQ(cells_of(plan, 4).size(), 1u);
  EXPECT_EQ(cells_of(plan, 4)[0].lanes.size(), 4u);
  plan = {}, plan.both_directions = true;
  EXPECT_EQ(cells_of(plan, 4).size(), 5u);
  EXPECT_EQ(cells_of(plan, 4)[0].direction, Direction::both);
  plan = {}, plan.matrix = true;
  EXPECT_EQ(cells_of(plan, 16).size(), 32u);
  plan = {}, plan.mode = Mode::latency;
  EXPECT_EQ(cells_of(plan, 4).size(), 8u);
  EXPECT_TRUE(cells_of(plan, 0).empty());
}

TEST(Layout, SmallMessagesRotateLargeOnesDoNot) {
  Plan plan;
  EXPECT_EQ(layout_of(plan, 65536).slots, 1);
  EXPECT_EQ(layout_of(plan, 1 << 20).slots, 1);
  EXPECT_EQ(layout_of(plan, 4096).slots, 16);
  EXPECT_EQ(layout_of(plan, 1).slots, 128) << "no more than can be under way";
  EXPECT_EQ(layout_of(plan, 65).stride, 128u);
}

TEST(Connection, ThereAndBack) {
  const std::vector<LaneAddress> addresses{{.error = "",
                                            .gid = {1, 2, 3},
                                            .lid = 5,
                                            .mtu = 4096,
                                            .reads = 16,
                                            .source = ~0ull,
                                            .sink = 1,
                                            .key = 7,
                                            .pairs = {{1, 2}, {3, 4}}},
                                           {.error = "no"}};
  EXPECT_EQ(lane_addresses_from(to_text(addresses), 2), addresses);
  const std::vector<LaneReport> reports{{.error = "",
                                         .mtu = 1024,
                                         .sent = {1, 2},
                                         .median_gbit_s = 1.5,
                                         .mean_gbit_s = 1.4,
                                         .ci_gbit_s = {1, 2},
                                         .windows = 3,
                                         .answer = -1,
                                         .doubt = "stalls",
                                         .observed_s = 30,
                                         .stop = "time",
                                         .latency_us = {1, 2, 3, 4, 5, 6},
                                         .edges_us = {1, 2, 3},
                                         .counts = {1, 2}}};
  EXPECT_EQ(lane_reports_from(to_text(reports), 1), reports);
  const std::vector<LaneCheck> checks{
      {.error = "x", .wrong = 3, .first_wrong = "y", .counters = {{"net/rx_dropped", 4}}}, {}};
  EXPECT_EQ(lane_checks_from(to_text(checks), 2), checks);
  const NodeFacts facts{"gpu-a",
                        "0.1.0",
                        "host",
                        {{.index = 1,
                          .device = "mlx5_1",
                          .netdev = "eth1",
                          .gid = "::",
                          .gid_index = 3,
                          .network = "10.0.0.0/24",
                          .rate_gbit_s = 200,
                          .problem = "p",
                          .warning = "w"}}};
  EXPECT_EQ(node_facts_from(to_text(facts)).rails, facts.rails);
}

TEST(Connection, HostileTextIsAnErrorAndNoCrash) {
  for (const char* text : {"", "{", "[]", "{}", "null", "[1]", "[{}]", "[{\"error\":3}]", "[[[[",
                           "\"\\ud800\"", "[{\"error\":\"\",\"gid\":[1,2],\"lid\":0}]"}) {
    EXPECT_THROW(lane_addresses_from(text, 1), std::runtime_error) << text;
    EXPECT_THROW(lane_reports_from(text, 1), std::runtime_error) << text;
    EXPECT_THROW(lane_checks_from(text, 1), std::runtime_error) << text;
    EXPECT_THROW(node_facts_from(text), std::runtime_error) << text;
  }
  // Broken UTF-8 in a name is replaced when it is written, so that it can be read.
  EXPECT_NO_THROW(node_facts_from(to_text(NodeFacts{"gpu\xff\xfe", "1", "host", {}})));
  // Control characters of a peer's device name do not reach a terminal.
  NodeFacts facts{"n", "1", "host", {{.device = "mlx5\x1b[2J"}}};
  EXPECT_EQ(node_facts_from(to_text(facts)).rails[0].device.find('\x1b'), std::string::npos);
  // Another protocol version says so.
  std::string old = to_text(NodeFacts{"n", "1", "host", {}});
  old.replace(old.find("\"protocol\":1"), 12, "\"protocol\":9");
  EXPECT_THROW(node_facts_from(old), std::runtime_error);
  try {
    (void)node_facts_from(old);
  } catch (const std::exception& error) {
    EXPECT_THAT(error.what(), HasSubstr("version 9"));
  }
}

TEST(Counters, OnlyWhatTellsAndGrew) {
  const CounterReading before{{"hw_counters/out_of_sequence", 5},
                              {"hw_counters/sent_pkts", 1},
                              {"net/rx_dropped", 7},
                              {"hw_counters/np_cnp_sent", 9}};
  const CounterReading after{{"hw_counters/out_of_sequence", 12},
                             {"hw_counters/sent_pkts", 1000},
                             {"net/rx_dropped", 3},
                             {"hw_counters/np_cnp_sent", 10},
                             {"net/tx_dropped", 5}};
  EXPECT_THAT(telling_deltas(before, after), ElementsAre(CounterDelta{"hw_counters/out_of_sequence", 7},
                                                         CounterDelta{"hw_counters/np_cnp_sent", 1}))
      << "what went backwards was reset, what was not there before says nothing";
  const auto deltas = telling_deltas(before, after);
  EXPECT_THAT(explain(deltas), AllOf(HasSubstr("lost on the way here"), HasSubstr("congestion")));
  EXPECT_EQ(explain({}), "");
}

TEST(Counters, PausesAndDiscardsOfAnyPriority) {
  const auto deltas = telling_deltas(
      {{"ethtool/rx_prio3_pause", 0}, {"ethtool/rx_discards_phy", 0}, {"ethtool/rx_packets", 0}},
      {{"ethtool/rx_prio3_pause", 2}, {"ethtool/rx_discards_phy", 1}, {"ethtool/rx_packets", 9}});
  EXPECT_THAT(deltas, ElementsAre(CounterDelta{"ethtool/rx_discards_phy", 1},
                                  CounterDelta{"ethtool/rx_prio3_pause", 2}));
}

TEST(Failure, NamesEverythingAndWhatToRun) {
  const Ends ends{"gpu-a",
                  {.index = 2,
                   .device = "mlx5_2",
                   .netdev = "eth2",
                   .gid = "0000:0000:0000:0000:0000:ffff:0a0a:0215",
                   .gid_index = 3},
                  "gpu-b",
                  {.index = 2,
                   .device = "mlx5_6",
                   .netdev = "eth6",
                   .gid = "0000:0000:0000:0000:0000:ffff:0a0a:0216",
                   .gid_index = 3}};
  const auto text = failure_text("ibv_modify_qp to RTR: Connection timed out", ends);
  EXPECT_EQ(text,
            "ibv_modify_qp to RTR: Connection timed out on rail 2 (mlx5_2, eth2) of gpu-a, GID 3 10.10.2.21, "
            "towards rail 2 "
            "(mlx5_6, eth6) of gpu-b, GID 10.10.2.22");
  EXPECT_THAT(failure_remedy(text, ends), AllOf(HasSubstr("ip route get 10.10.2.22 from 10.10.2.21 oif eth2"),
                                                HasSubstr("ip neigh show dev eth2")));
  EXPECT_THAT(failure_remedy("write: transport retry counter exceeded", ends), HasSubstr("net.path-mtu"));
  EXPECT_THAT(failure_remedy("ibv_reg_mr: Cannot allocate memory", ends), HasSubstr("memlock"));
  EXPECT_FALSE(failure_remedy("something else", ends).empty());
}

TEST(Numa, CpuLists) {
  EXPECT_THAT(parse_cpu_list("0-3,8,10-11"), ElementsAre(0, 1, 2, 3, 8, 10, 11));
  EXPECT_THAT(parse_cpu_list("5"), ElementsAre(5));
  for (const char* wrong : {"", "a", "3-1", "1,", "-1", "1--2", "1;2", "99999999999"})
    EXPECT_TRUE(parse_cpu_list(wrong).empty()) << wrong;
}

TEST(Numa, MemoryAndThreadsWhereverThereIsNoSuchNode) {
  EXPECT_EQ(run_on_node(-1), "");
  EXPECT_NE(run_on_node(4000), "");
  const auto memory = memory_on_node(1 << 20, 4000);
  EXPECT_EQ(memory.get()[12345], std::byte{0});
}

TEST(NearestGpu, SharesMostOfThePath) {
  const std::string nic = "/sys/devices/pci0000:60/0000:60:01.0/0000:61:00.0/0000:62:02.0/0000:65:00.0";
  EXPECT_EQ(nearest_gpu(nic, {"/sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0",
                              "/sys/devices/pci0000:60/0000:60:03.0/0000:71:00.0",
                              "/sys/devices/pci0000:60/0000:60:01.0/0000:61:00.0/0000:62:00.0/0000:63:00.0"}),
            2);
  EXPECT_EQ(nearest_gpu("", {"/a", "/b"}), 0);
  EXPECT_THROW(nearest_gpu(nic, {}), std::invalid_argument);
}

}  // namespace

}  // namespace mlc::rdma
