// Two ends of one machine over loopback: what is carried, what fails, and that nothing hangs.
#include "bench/fleet/measurement/tcp_engine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

namespace mlc::fleet {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TcpRail loopback_rail(std::uint32_t last) { return {.name = "lo", .address = {0x7f000000u + last}}; }

TestTerms short_test() {
  return {.token = std::string(token_bytes, 't'),
          .plan = {.first = 0, .second = 1},
          .warm_up_s = .1,
          .test_s = .6,
          .connect_s = 1};
}

struct Both {
  std::vector<RailSides> first, second;
};

Both measured(Engine& one, Engine& other, const TestTerms& terms, const std::function<bool()>& alive) {
  const auto first = one.begin(terms), second = other.begin(terms);
  const auto from_first = first->offer(), from_second = second->offer();
  Both both;
  {
    std::jthread there([&] { second->connect(from_first); });
    first->connect(from_second);
  }
  std::jthread there([&] { both.second = second->measure([] { return true; }); });
  both.first = first->measure(alive);
  there.join();
  return both;
}

TEST(TcpEngine, BothEndsCountTheSameOfEachRailAndWay) {
  const auto one = tcp_engine({loopback_rail(1), loopback_rail(2)}),
             other = tcp_engine({loopback_rail(3), loopback_rail(4)});
  for (int again = 0; again < 2; ++again) {  // the ports are free again at once
    const auto both = measured(*one, *other, short_test(), [] { return true; });
    ASSERT_EQ(both.first.size(), 2u);
    for (std::size_t rail = 0; rail < 2; ++rail) {
      EXPECT_THAT(both.first[rail].sent.error, IsEmpty());
      EXPECT_THAT(both.second[rail].received.error, IsEmpty());
      EXPECT_GT(both.second[rail].received.sum(), 0);
      for (const double each : both.second[rail].received.gbit_s)
        EXPECT_GT(each, 0) << "each queue pair has a connection of its own";
    }
  }
}

TEST(TcpEngine, ARailThatIsNotThereStopsNoOther) {
  const auto one = tcp_engine({loopback_rail(1), {.name = "rail1", .problem = "rail1 is down"}}),
             other = tcp_engine({loopback_rail(3), loopback_rail(4)});
  const auto both = measured(*one, *other, short_test(), [] { return true; });
  EXPECT_THAT(both.first[0].received.error, IsEmpty());
  EXPECT_THAT(both.first[1].sent.error, HasSubstr("rail1 is down"));
  EXPECT_THAT(both.second[1].sent.error, HasSubstr("the other end: rail1 is down"));
}

TEST(TcpEngine, AnAddressThatIsNotHereIsAProblem) {
  const auto engine = tcp_engine({{.name = "x", .address = {0xc6336401u}}});  // 198.51.100.1
  EXPECT_THAT(engine->rails()[0].problem, HasSubstr("cannot listen on 198.51.100.1"));
}

TEST(TcpEngine, APeerThatNeverComesIsAnErrorInTime) {
  const auto one = tcp_engine({loopback_rail(1)}), other = tcp_engine({loopback_rail(3)});
  const auto first = one->begin(short_test()), second = other->begin(short_test());
  first->connect(second->offer());  // the other end does not connect
  const auto sides = first->measure([] { return true; });
  EXPECT_THAT(sides[0].received.error, HasSubstr("no connection within the time"));
}

TEST(TcpEngine, AnotherTestsGuestIsSentAway) {
  const auto one = tcp_engine({loopback_rail(1)}), other = tcp_engine({loopback_rail(3)});
  auto terms = short_test(), foreign = short_test();
  foreign.token = std::string(token_bytes, 'f');
  const auto first = one->begin(terms), second = other->begin(foreign);
  std::jthread there([&] { second->connect(first->offer()); });
  first->connect(second->offer());
  there.join();
  EXPECT_THAT(first->measure([] { return true; })[0].received.error, HasSubstr("no connection"));
}

TEST(TcpEngine, ATestThatIsToldToEndSaysSo) {
  const auto one = tcp_engine({loopback_rail(1)}), other = tcp_engine({loopback_rail(3)});
  const auto both = measured(*one, *other, short_test(), [] { return false; });
  EXPECT_THAT(both.first[0].received.error, HasSubstr("told to end"));
}

TEST(TcpEngine, OffersOfAnotherKindAreRefused) {
  const auto one = tcp_engine({loopback_rail(1)});
  const auto first = one->begin(short_test());
  EXPECT_ANY_THROW(first->connect(nlohmann::json::array()));
  EXPECT_ANY_THROW(first->connect({{{"address", "gpu-7"}, {"port", 1}}}));
  EXPECT_ANY_THROW(first->connect({{{"address", "127.0.0.1"}}}));
}

TEST(SourcePorts, QueuePairsOfATestAndTestsOfAPairKeepTheirs) {
  TestTerms terms = short_test();
  terms.plan.base = 5, terms.uplinks = 16;
  std::set<int> ports;
  for (int q = 0; q < queue_pairs; ++q) {
    ports.insert(source_port_of(terms, q));
    EXPECT_EQ(source_port_of(terms, q) % queue_pairs, q);
    EXPECT_EQ(source_port_of(terms, q) / queue_pairs, uplink_of(terms.plan, q, 16));
  }
  EXPECT_EQ(ports.size(), 4u);
  terms.uplinks = 0, terms.plan.base = 1 << 20;
  EXPECT_LT(source_port_of(terms, 3), source_ports);
}

TEST(TestTerms, GoOverJsonAndComeBack) {
  TestTerms terms = short_test();
  terms.plan.base = 3, terms.uplinks = 8;
  const auto again = terms_from(to_json(terms));
  EXPECT_EQ(again.token, terms.token);
  EXPECT_EQ(again.plan, terms.plan);
  EXPECT_EQ(again.uplinks, 8);
  for (const auto& [name, value] : std::map<std::string, nlohmann::json>{{"token", "short"},
                                                                         {"first", -1},
                                                                         {"uplinks", 1 << 20},
                                                                         {"test_s", 1e9},
                                                                         {"warm_up_s", -1},
                                                                         {"base", "x"}}) {
    auto broken = to_json(terms);
    broken[name] = value;
    EXPECT_ANY_THROW((void)terms_from(broken)) << name;
  }
}

}  // namespace
}  // namespace mlc::fleet
