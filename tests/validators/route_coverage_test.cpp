// What net.rail-routes makes of a table, address by address.
#include "validators/checks/route_coverage.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

namespace mlc::test {

namespace {

using testing::HasSubstr;

const DeviceNames names{{3, "r0"}, {4, "m0"}};

class Coverage : public testing::Test {
 protected:
  Coverage() {
    for (const auto& [priority, table] : {std::pair{0u, unsigned{RT_TABLE_LOCAL}},
                                          {100u, 100u},
                                          {32766u, unsigned{RT_TABLE_MAIN}},
                                          {32767u, unsigned{RT_TABLE_DEFAULT}}}) {
      Rule rule;
      rule.priority = priority, rule.table = table, rule.action = FR_ACT_TO_TBL;
      if (table == 100) rule.from = parse_ip_prefix("10.1.0.21/32");
      tables.rules.push_back(rule);
    }
    flow.source = demand.source = *parse_ip("10.1.0.21");
    flow.oif = demand.oif = 3;
    flow.oif_name = demand.device = "r0";
    demand.within = *parse_ip_prefix("10.9.0.0/24");
    demand.gateway = parse_ip("10.1.0.1");
    demand.own = demand.node = {*parse_ip_prefix("10.1.0.21/24")};
    demand.mtu = 4220;
  }
  Route& route(const char* destination, const char* via = "10.1.0.1", int device = 3) {
    Route one;
    one.destination = *parse_ip_prefix(destination);
    one.type = RTN_UNICAST, one.table = RT_TABLE_MAIN;
    if (device) one.oif = device;
    if (*via) one.gateway = parse_ip(via);
    tables.routes.push_back(one);
    return tables.routes.back();
  }
  std::vector<JudgedRange> judged() const {
    return judge_ranges(demand, tables, fib_ranges(tables, flow, demand.within), names);
  }
  // The only verdict there is.
  void expect(Status status, const std::string& words) {
    const auto all = judged();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].status, status) << all[0].said;
    EXPECT_THAT(all[0].said, HasSubstr(words));
    EXPECT_EQ(all[0].remedy.empty(), status == Status::pass);
  }

  FibTables tables;
  FibFlow flow;
  RouteDemand demand;
};

TEST_F(Coverage, AnMtuBelowTheRailsOwnIsAWarningWhereNobodySaysWhatIsEnough) {
  route("10.9.0.0/24").mtu = 1500;
  expect(Status::fail, "the route's MTU is 1500");
  demand.mtu = 0;
  expect(Status::pass, "");
  demand.device_mtu = 9000;
  expect(Status::warn, "the route's MTU is 1500 where the rail's is 9000");
}

// The one route that is missing is there, and nothing leads to it; or another is in its place.
TEST_F(Coverage, TheRemedyIsOfWhatKeepsTheRouteFromBeingFound) {
  const auto remedy = [&] { return judged().at(0).remedy; };
  EXPECT_THAT(remedy(), HasSubstr("ip route add 10.9.0.0/24 via 10.1.0.1 dev r0"));
  route("10.9.0.0/16").table = 101;
  EXPECT_THAT(remedy(), HasSubstr("ip rule add from 10.1.0.21 lookup 101"));
  route("0.0.0.0/0", "192.0.2.1");
  EXPECT_THAT(remedy(), HasSubstr("ip rule add from 10.1.0.21 lookup 101 priority 32765"));
  tables.routes.clear();
  Route& turned = route("10.9.0.0/24", "", 0);
  turned.type = RTN_THROW, turned.table = 100;
  EXPECT_THAT(remedy(), HasSubstr("ip route del throw 10.9.0.0/24 table 100"));
  // The main table's rule is gone.
  tables.routes.clear();
  route("10.9.0.0/24");
  std::erase_if(tables.rules, [](const Rule& rule) { return rule.table == RT_TABLE_MAIN; });
  EXPECT_THAT(remedy(), HasSubstr("ip rule add from all lookup main priority 32766"));
}

// Typed without it, what is meant for a rail's own table takes the main table's default route away.
TEST_F(Coverage, TheRemedyNamesTheTable) {
  route("10.9.0.0/24", "10.1.0.7").table = 100;
  EXPECT_THAT(judged().at(0).remedy,
              testing::EndsWith("ip route replace 10.9.0.0/24 via 10.1.0.1 dev r0 table 100"));
  tables.routes.back().table = RT_TABLE_MAIN;
  EXPECT_THAT(judged().at(0).remedy, testing::EndsWith("dev r0"));
  Route& with_source = tables.routes.back();
  with_source.gateway = parse_ip("10.1.0.1"), with_source.source = parse_ip("10.2.0.21");
  EXPECT_THAT(judged().at(0).remedy, HasSubstr("src 10.1.0.21:"));
}

TEST_F(Coverage, WhatIsInTheWayIsRemovedAndNotAddedAgain) {
  flow.oif = 0, flow.oif_name.clear();
  route("10.9.0.0/25", "", 4);
  EXPECT_THAT(judged().at(0).remedy, HasSubstr("ip route del 10.9.0.0/25 dev m0"));
  tables.routes.clear();
  Route& hole = route("10.9.0.0/24", "", 0);
  hole.type = RTN_BLACKHOLE, hole.nexthop_id = 6, hole.oif = 1;
  EXPECT_THAT(judged().at(0).remedy, HasSubstr("ip route del 10.9.0.0/24 nhid 6"));
  EXPECT_THAT(judged().at(0).remedy, testing::Not(HasSubstr("dev")));
}

// A rail's own table with nothing but a default route sends its neighbours to the gateway: the route that is
// wanted is added, and that one stays.
TEST_F(Coverage, ADefaultRouteIsNotRemovedForWhatItAnswersInPassing) {
  demand.within = *parse_ip_prefix("10.1.0.0/24"), demand.on_link = true, demand.gateway.reset();
  route("0.0.0.0/0").table = 100;
  EXPECT_THAT(judged().at(0).remedy, HasSubstr("ip route add 10.1.0.0/24 dev r0 src 10.1.0.21 table 100"));
  EXPECT_THAT(judged().at(0).remedy, testing::Not(HasSubstr("del")));
}

TEST_F(Coverage, ABlackholeOverAllPeersButOneIsFoundAndNamed) {
  route("10.9.0.0/16");
  route("10.9.0.1/32");
  route("10.9.0.0/24", "", 0).type = RTN_BLACKHOLE;
  demand.within = *parse_ip_prefix("10.9.0.0/16");
  const auto all = judged();
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].status, Status::fail);
  EXPECT_EQ(to_string(all[0].range), "10.9.0.0");
  EXPECT_EQ(all[1].status, Status::pass) << "the one address that was looked up once";
  EXPECT_EQ(to_string(all[2].range), "10.9.0.2-10.9.0.255");
  EXPECT_EQ(all[2].said, "blackhole: blackhole 10.9.0.0/24");
  EXPECT_THAT(all[2].remedy, HasSubstr("ip route del blackhole 10.9.0.0/24"));
  EXPECT_EQ(all[3].status, Status::pass);
}

TEST_F(Coverage, ASourceThatIsNotTheRails) {
  route("10.9.0.0/16").source = parse_ip("192.168.0.21");
  expect(Status::fail, "sends from 192.168.0.21");
  tables.routes[0].source = demand.source;
  expect(Status::pass, "10.9.0.0/16 via 10.1.0.1 dev r0 src 10.1.0.21");
}

TEST_F(Coverage, NextHops) {
  route("10.9.0.0/16", "10.1.0.9");
  expect(Status::fail, "goes via 10.1.0.9");
  tables.routes[0].gateway.reset();
  expect(Status::fail, "goes on link");
  tables.routes[0].hops = {{3, parse_ip("10.1.0.1"), 0}, {4, parse_ip("10.2.0.1"), 0}};
  expect(Status::fail, "multipath route over 2 devices");
  tables.routes[0].hops = {{3, parse_ip("10.1.0.1"), 0}, {3, parse_ip("10.1.0.9"), 0}};
  expect(Status::fail, "goes via 10.1.0.9");
  tables.routes[0].hops[1].gateway = parse_ip("10.1.0.1");
  expect(Status::pass, "");
}

TEST_F(Coverage, OnLinkGateways) {
  demand.gateway.reset();
  route("10.9.0.0/16", "10.8.0.1").flags = RTNH_F_ONLINK;
  expect(Status::warn, "nothing says that the gateway is on this rail");
  tables.routes[0].gateway = parse_ip("10.1.0.1");
  expect(Status::pass, "onlink");
}

TEST_F(Coverage, MtuAndItsLock) {
  route("10.9.0.0/16").mtu = 1500;
  expect(Status::fail, "MTU is 1500");
  tables.routes[0].mtu = 9000;
  expect(Status::pass, "mtu 9000");
  tables.routes[0].mtu_locked = true;
  expect(Status::warn, "locked");
}

TEST_F(Coverage, ADefaultRouteCountsInTheRailsOwnTableAlone) {
  route("0.0.0.0/0");
  expect(Status::fail, "only the default route");
  tables.routes[0].table = 100;
  expect(Status::pass, "default via 10.1.0.1 dev r0 table 100");
  tables.rules[1].from.reset();
  expect(Status::fail, "only the default route");
}

TEST_F(Coverage, NothingAndRules) {
  expect(Status::fail, "no route matches");
  EXPECT_THAT(judged()[0].remedy, HasSubstr("ip route add 10.9.0.0/24 via 10.1.0.1 dev r0 src 10.1.0.21"));
  route("10.9.0.0/16");
  tables.rules[1].from.reset();
  tables.rules[1].action = FR_ACT_UNREACHABLE;
  expect(Status::fail, "refused by rule '100: from all unreachable'");
  tables.rules[1].action = FR_ACT_TO_TBL;
  tables.rules[1].uid = {0, 999};
  route("10.9.0.0/24", "10.1.0.9").table = 100;
  expect(Status::unknown, "it is for some of the traffic only");
}

TEST_F(Coverage, WhatPutsPacketsIntoOthersIsNotJudged) {
  route("10.9.0.0/16").encapsulates = true;
  expect(Status::unknown, "encap");
}

TEST_F(Coverage, TheOwnSubnet) {
  demand.within = *parse_ip_prefix("10.1.0.0/24");
  demand.gateway.reset();
  demand.on_link = true;
  route("10.1.0.0/24", "");
  route("10.1.0.21/32", "").type = RTN_LOCAL;
  route("10.1.0.255/32", "").type = RTN_BROADCAST;
  for (const auto& one : judged())
    EXPECT_EQ(one.status, Status::pass) << to_string(one.range) << " " << one.said;
  // Another node's address that this one takes for its own.
  route("10.1.0.7/32", "").type = RTN_LOCAL;
  const auto all = judged();
  const auto found = std::ranges::find(all, Status::fail, &JudgedRange::status);
  ASSERT_NE(found, all.end());
  EXPECT_EQ(to_string(found->range), "10.1.0.7");
  EXPECT_THAT(found->said, HasSubstr("stays on this node"));
  tables.routes.pop_back();
  route("10.1.0.128/25", "10.1.0.1");
  EXPECT_THAT(judged().back().said, HasSubstr("though the address is on this rail"));
}

TEST_F(Coverage, WhatIsJudgedElsewhereIsLeftOut) {
  demand.within = *parse_ip_prefix("10.1.0.0/16");
  demand.except = {*parse_ip_prefix("10.1.0.0/24"), *parse_ip_prefix("10.1.128.0/24")};
  route("10.1.0.0/16");
  const auto all = judged();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(to_string(all[0].range), "10.1.1.0-10.1.127.255");
  EXPECT_EQ(to_string(all[1].range), "10.1.129.0-10.1.255.255");
  const auto asked = boundaries(demand, fib_ranges(tables, flow, demand.within));
  std::vector<std::string> texts;
  for (const auto& one : asked)
    texts.push_back(to_string(one));
  EXPECT_THAT(texts, testing::ElementsAre("10.1.1.0", "10.1.127.255", "10.1.129.0", "10.1.255.255"));
}

TEST_F(Coverage, LookupsAreBounded) {
  for (int i = 0; i < 200; ++i)
    route(("10.9.0." + std::to_string(i) + "/32").c_str());
  const auto ranges = fib_ranges(tables, flow, demand.within);
  ASSERT_GT(ranges.size(), 200u);
  const auto asked = boundaries(demand, ranges, 10);
  EXPECT_LE(asked.size(), 24u);
  EXPECT_EQ(to_string(asked.front()), "10.9.0.0");
  EXPECT_EQ(to_string(asked.back()), "10.9.0.255");
}

TEST_F(Coverage, WhereTheTablesAndTheKernelDisagreeItIsSaid) {
  const Route good = route("10.9.0.0/16");
  const auto ranges = fib_ranges(tables, flow, demand.within);
  const IpAddress first = demand.within.first(), last = demand.within.last();
  auto check = cross_check(ranges, {{first, Read<Route>::of(good)}, {last, Read<Route>::of(good)}}, names);
  EXPECT_EQ(check.agreed, 2u);
  EXPECT_TRUE(check.disagreements.empty());

  check = cross_check(
      ranges, {{first, Read<Route>::of(good)}, {last, Read<Route>::not_there("No route to host")}}, names);
  EXPECT_TRUE(check.refused);
  ASSERT_EQ(check.disagreements.size(), 1u);
  EXPECT_EQ(
      check.disagreements[0],
      "10.9.0.255: the tables say '10.9.0.0/16 via 10.1.0.1 dev r0', the kernel answers No route to host");

  Route other = good;
  other.destination = *parse_ip_prefix("10.9.0.0/24");
  check = cross_check(ranges, {{first, Read<Route>::of(other)}}, names);
  EXPECT_FALSE(check.refused);
  EXPECT_EQ(check.disagreements.size(), 1u);

  check = cross_check(ranges, {{first, Read<Route>::never_asked("was not captured")}}, names);
  EXPECT_EQ(check.not_asked, "was not captured");
  EXPECT_EQ(check.agreed, 0u);
  check = cross_check(ranges, {{first, Read<Route>::unreadable("Operation not permitted")}}, names);
  EXPECT_EQ(check.failed, "Operation not permitted");
}

}  // namespace

}  // namespace mlc::test
