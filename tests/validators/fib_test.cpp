// What tables and rules make of every address of a prefix, feature by feature. That the kernel agrees is
// shown by fib_kernel_test.
#include "validators/host/fib.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

namespace mlc::test {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const DeviceNames names{{1, "lo"}, {3, "r0"}, {4, "m0"}};
constexpr int r0 = 3, m0 = 4;

IpPrefix prefix(const char* text) { return *parse_ip_prefix(text); }

Route route(const char* destination, int device, const char* via = "", unsigned table = RT_TABLE_MAIN) {
  Route one;
  one.destination = prefix(destination);
  one.type = RTN_UNICAST;
  one.table = table;
  if (device != 0) one.oif = device;
  if (*via) one.gateway = parse_ip(via);
  return one;
}

Route refusing(const char* destination, unsigned type, unsigned table = RT_TABLE_MAIN) {
  Route one = route(destination, 0, "", table);
  one.type = type;
  if (one.family() == IpFamily::v6) one.oif = 1;  // as the kernel lists them
  return one;
}

Rule rule(unsigned priority, unsigned table) {
  Rule one;
  one.priority = priority;
  one.table = table;
  one.action = FR_ACT_TO_TBL;
  return one;
}

struct Network {
  FibTables tables;
  FibFlow flow;

  Network() {
    tables.rules = {rule(0, RT_TABLE_LOCAL), rule(32766, RT_TABLE_MAIN), rule(32767, RT_TABLE_DEFAULT)};
    flow.source = parse_ip("10.1.0.21");
    flow.oif = r0;
    flow.oif_name = "r0";
  }
  Network& with(Route one) {
    tables.routes.push_back(std::move(one));
    return *this;
  }
  Network& with(Rule one) {
    tables.rules.push_back(std::move(one));
    return *this;
  }
  // "10.9.0.0-10.9.0.255 blackhole 10.9.0.0/24"
  std::vector<std::string> says(const char* within) const {
    std::vector<std::string> all;
    for (const auto& [range, answer] : fib_ranges(tables, flow, prefix(within))) {
      const std::string shown = answer.route ? ip_route_form(*answer.route, names) : "";
      all.push_back(to_string(range) + " " +
                    (answer.outcome == FibOutcome::unsure    ? "unsure: " + answer.why
                     : answer.outcome == FibOutcome::nothing ? "nothing"
                     : shown.empty() && answer.rule          ? ip_rule_form(*answer.rule)
                                                             : shown));
    }
    return all;
  }
};

TEST(Fib, TheLongestPrefixAnswersForItsAddressesAndNoOthers) {
  Network net;
  net.with(route("10.9.0.0/16", r0, "10.1.0.1")).with(refusing("10.9.1.0/24", RTN_BLACKHOLE));
  net.with(route("10.9.1.7/32", r0, "10.1.0.1"));
  EXPECT_THAT(net.says("10.9.0.0/16"), ElementsAre("10.9.0.0-10.9.0.255 10.9.0.0/16 via 10.1.0.1 dev r0",
                                                   "10.9.1.0-10.9.1.6 blackhole 10.9.1.0/24",
                                                   "10.9.1.7 10.9.1.7/32 via 10.1.0.1 dev r0",
                                                   "10.9.1.8-10.9.1.255 blackhole 10.9.1.0/24",
                                                   "10.9.2.0-10.9.255.255 10.9.0.0/16 via 10.1.0.1 dev r0"));
}

TEST(Fib, RangesCoverThePrefixExactly) {
  Network net;
  net.flow.oif = 0;
  net.with(route("0.0.0.0/1", r0)).with(route("128.0.0.0/2", m0)).with(route("255.255.255.254/31", m0));
  for (const char* within : {"0.0.0.0/0", "10.0.0.0/8", "255.255.255.255/32"}) {
    const auto ranges = fib_ranges(net.tables, net.flow, prefix(within));
    EXPECT_EQ(ranges.front().range.first, prefix(within).first());
    EXPECT_EQ(ranges.back().range.last, prefix(within).last());
    for (std::size_t i = 1; i < ranges.size(); ++i)
      EXPECT_EQ(ranges[i].range.first.bits, ranges[i - 1].range.last.bits + 1);
  }
}

TEST(Fib, TheSmallerMetricAnswers) {
  Network net;
  Route costly = route("10.9.0.0/24", r0, "10.1.0.2");
  costly.priority = 100;
  net.with(costly).with(route("10.9.0.0/24", r0, "10.1.0.1"));
  EXPECT_THAT(net.says("10.9.0.0/24"), ElementsAre("10.9.0.0-10.9.0.255 10.9.0.0/24 via 10.1.0.1 dev r0"));
}

TEST(Fib, ATosIsForItsTrafficAlone) {
  Network net;
  Route quick = refusing("10.9.0.0/24", RTN_BLACKHOLE);
  quick.tos = 0x10;
  net.with(quick).with(route("10.9.0.0/24", r0, "10.1.0.1"));
  EXPECT_THAT(net.says("10.9.0.0/24"), ElementsAre("10.9.0.0-10.9.0.255 10.9.0.0/24 via 10.1.0.1 dev r0"));
  net.flow.tos = 0x10;
  EXPECT_THAT(net.says("10.9.0.0/24"), ElementsAre("10.9.0.0-10.9.0.255 blackhole 10.9.0.0/24 tos 16"));
}

TEST(Fib, ABoundLookupTakesRoutesOfItsDevice) {
  Network net;
  net.with(route("10.9.0.0/24", m0, "10.2.0.1")).with(route("10.9.0.0/16", r0, "10.1.0.1"));
  EXPECT_THAT(net.says("10.9.0.0/24"), ElementsAre("10.9.0.0-10.9.0.255 10.9.0.0/16 via 10.1.0.1 dev r0"));
  net.flow.oif = 0;
  EXPECT_THAT(net.says("10.9.0.0/24"), ElementsAre("10.9.0.0-10.9.0.255 10.9.0.0/24 via 10.2.0.1 dev m0"));
}

TEST(Fib, EveryRefusalIsNamed) {
  for (const auto& [type, name] : {std::pair{RTN_BLACKHOLE, "blackhole"},
                                   {RTN_UNREACHABLE, "unreachable"},
                                   {RTN_PROHIBIT, "prohibit"}}) {
    Network net;
    net.with(route("10.9.0.0/16", r0, "10.1.0.1")).with(refusing("10.9.0.0/17", static_cast<unsigned>(type)));
    EXPECT_THAT(net.says("10.9.0.0/16"),
                ElementsAre("10.9.0.0-10.9.127.255 " + std::string(name) + " 10.9.0.0/17",
                            "10.9.128.0-10.9.255.255 10.9.0.0/16 via 10.1.0.1 dev r0"));
  }
}

TEST(Fib, AThrowLeavesTheTableAndNotTheLookup) {
  Network net;
  net.with(rule(100, 100)).with(route("0.0.0.0/0", r0, "10.1.0.1", 100));
  net.with(refusing("10.9.0.0/24", RTN_THROW, 100)).with(route("10.9.0.0/16", r0, "10.1.0.2"));
  EXPECT_THAT(net.says("10.9.0.0/23"),
              ElementsAre("10.9.0.0-10.9.0.255 10.9.0.0/16 via 10.1.0.2 dev r0",
                          "10.9.1.0-10.9.1.255 default via 10.1.0.1 dev r0 table 100"));
}

TEST(Fib, ARuleForADestinationCutsTheRange) {
  Network net;
  Rule some = rule(100, 100);
  some.to = prefix("10.9.0.64/26");
  net.with(some).with(refusing("0.0.0.0/0", RTN_PROHIBIT, 100)).with(route("10.9.0.0/16", r0, "10.1.0.1"));
  EXPECT_THAT(net.says("10.9.0.0/24"), ElementsAre("10.9.0.0-10.9.0.63 10.9.0.0/16 via 10.1.0.1 dev r0",
                                                   "10.9.0.64-10.9.0.127 prohibit default table 100",
                                                   "10.9.0.128-10.9.0.255 10.9.0.0/16 via 10.1.0.1 dev r0"));
}

TEST(Fib, RulesMatchTheFlow) {
  struct {
    const char* name;
    std::function<void(Rule&)> change;
    bool matches;
  } const cases[] = {
      {"all", [](Rule&) {}, true},
      {"from us", [](Rule& one) { one.from = prefix("10.1.0.0/24"); }, true},
      {"from another", [](Rule& one) { one.from = prefix("10.2.0.0/24"); }, false},
      {"not from another", [](Rule& one) { one.from = prefix("10.2.0.0/24"), one.inverted = true; }, true},
      {"iif lo is what is sent here", [](Rule& one) { one.iif = "lo"; }, true},
      {"iif another", [](Rule& one) { one.iif = "m0"; }, false},
      {"not iif another", [](Rule& one) { one.iif = "m0", one.inverted = true; }, true},
      {"oif ours", [](Rule& one) { one.oif = "r0"; }, true},
      {"oif another", [](Rule& one) { one.oif = "m0"; }, false},
      {"fwmark", [](Rule& one) { one.mark = 0x200; }, false},
      {"a mark whose mask leaves nothing", [](Rule& one) { one.mark = 0x200, one.mark_mask = 0xff; }, true},
      // wg-quick: not from all fwmark 0xca6c lookup 51820
      {"not fwmark", [](Rule& one) { one.mark = 0xca6c, one.inverted = true; }, true},
      {"tos", [](Rule& one) { one.tos = 0x10; }, false},
      {"dscp 0", [](Rule& one) { one.dscp = 0; }, true},
      {"dscp 26", [](Rule& one) { one.dscp = 26; }, false},
      {"no VRF here", [](Rule& one) { one.l3mdev = true; }, false},
  };
  for (const auto& one : cases) {
    Network net;
    Rule asked = rule(100, 100);
    one.change(asked);
    net.with(asked)
        .with(refusing("0.0.0.0/0", RTN_BLACKHOLE, 100))
        .with(route("10.9.0.0/16", r0, "10.1.0.1"));
    EXPECT_THAT(net.says("10.9.0.0/24"), ElementsAre(HasSubstr(one.matches ? "blackhole" : "10.9.0.0/16")))
        << one.name;
  }
}

TEST(Fib, WhatARuleAsksAndNobodyKnowsIsUnsureWhereItMatters) {
  for (const auto& change : std::vector<std::function<void(Rule&)>>{[](Rule& one) {
                                                                      one.uid = {1000, 2000};
                                                                    },
                                                                    [](Rule& one) { one.protocol = 6; },
                                                                    [](Rule& one) { one.ports = true; },
                                                                    [](Rule& one) { one.other = true; }}) {
    Network net;
    Rule some = rule(100, 100);
    change(some);
    net.with(some)
        .with(refusing("10.9.0.0/25", RTN_BLACKHOLE, 100))
        .with(route("10.9.0.0/16", r0, "10.1.0.1"));
    EXPECT_THAT(net.says("10.9.0.0/24"),
                ElementsAre(HasSubstr("10.9.0.0-10.9.0.127 unsure: rule '100: from all"),
                            "10.9.0.128-10.9.0.255 10.9.0.0/16 via 10.1.0.1 dev r0"));
  }
}

TEST(Fib, RulesRefuseJumpAndDoNothing) {
  Network net;
  net.with(route("10.9.0.0/16", r0, "10.1.0.1"));
  Rule deny = rule(300, 0);
  deny.action = FR_ACT_PROHIBIT;
  Rule jump = rule(100, 0);
  jump.action = FR_ACT_GOTO, jump.target = 400;
  Rule nop = rule(400, 0);
  nop.action = FR_ACT_NOP;
  net.with(deny);
  EXPECT_THAT(net.says("10.9.0.0/24"), ElementsAre("10.9.0.0-10.9.0.255 300: from all prohibit"));
  net.with(jump);
  EXPECT_THAT(net.says("10.9.0.0/24"), ElementsAre(HasSubstr("prohibit")))
      << "a goto without a target is passed over";
  net.with(nop);
  EXPECT_THAT(net.says("10.9.0.0/24"), ElementsAre(HasSubstr("10.9.0.0/16 via")));
  net.tables.rules.back().priority = 350;
  net.tables.rules[net.tables.rules.size() - 2].target = 350;
  EXPECT_THAT(net.says("10.9.0.0/24"), ElementsAre(HasSubstr("10.9.0.0/16 via")));
}

TEST(Fib, ASuppressedPrefixDoesNotCount) {
  Network net;
  Rule specific = rule(100, RT_TABLE_MAIN);
  specific.suppress_prefixlen = 0;
  net.with(specific).with(rule(200, 100)).with(route("0.0.0.0/0", r0, "10.1.0.1"));
  net.with(route("10.9.0.0/25", r0, "10.1.0.1")).with(route("0.0.0.0/0", r0, "10.1.0.9", 100));
  EXPECT_THAT(net.says("10.9.0.0/24"),
              ElementsAre("10.9.0.0-10.9.0.127 10.9.0.0/25 via 10.1.0.1 dev r0",
                          "10.9.0.128-10.9.0.255 default via 10.1.0.9 dev r0 table 100"));
}

TEST(Fib, AVrfHasItsTable) {
  Network net;
  Rule vrf = rule(1000, 0);
  vrf.l3mdev = true;
  net.with(vrf).with(route("10.9.0.0/16", r0, "10.1.0.1", 50)).with(route("10.9.0.0/16", r0, "10.1.0.2"));
  net.flow.vrf_table = 50;
  net.flow.vrf_name = "blue";
  EXPECT_THAT(net.says("10.9.0.0/16"),
              ElementsAre("10.9.0.0-10.9.255.255 10.9.0.0/16 via 10.1.0.1 dev r0 table 50"));
  // Kernels differ in whether the device counts there.
  net.with(route("10.9.1.0/24", m0, "10.2.0.1", 50));
  EXPECT_THAT(net.says("10.9.1.0/24"), ElementsAre(HasSubstr("unsure: in a VRF")));
}

TEST(Fib, NextHopObjects) {
  Network net;
  Route named = route("10.9.0.0/16", 0);
  named.nexthop_id = 7;
  net.with(named);
  EXPECT_THAT(net.says("10.9.0.0/16"), ElementsAre(HasSubstr("unsure: its next hop object was not listed")));
  net.tables.nexthops = {{1, {r0, parse_ip("10.1.0.1"), 0}, false, {}}, {7, {}, false, {1}}};
  EXPECT_THAT(net.says("10.9.0.0/16"), ElementsAre("10.9.0.0-10.9.255.255 10.9.0.0/16 nhid 7"));
  net.tables.nexthops[0].hop.oif = m0;
  EXPECT_THAT(net.says("10.9.0.0/16"), ElementsAre(HasSubstr("nothing")));
  net.tables.nexthops = {{7, {}, true, {}}};
  const auto ranges = fib_ranges(net.tables, net.flow, prefix("10.9.0.0/16"));
  ASSERT_EQ(ranges.size(), 1u);
  EXPECT_EQ(ranges[0].answer.outcome, FibOutcome::refused);
}

TEST(Fib, RoutesThatNameAnObjectAloneGetItsHops) {
  const Hop first{r0, parse_ip("10.1.0.1"), 0}, second{m0, parse_ip("10.2.0.1"), 0};
  const std::vector<Nexthop> objects{{1, first},
                                     {2, second},
                                     {3, {}, false, {1, 2}},
                                     {4, {}, true},
                                     {5, {}, false, {1, 9}},
                                     {6, {}, false, {6}},
                                     {7, {}, false, {1}},
                                     {8, first, false, {}, true}};
  const auto hops = [&](unsigned id) {
    Route one = route("10.9.0.0/16", 0);
    one.nexthop_id = id;
    std::vector<Route> routes{one};
    fill_hops(routes, objects);
    return routes[0].paths();
  };
  EXPECT_THAT(hops(1), ElementsAre(first));
  EXPECT_THAT(hops(3), ElementsAre(first, second));
  EXPECT_THAT(hops(7), ElementsAre(first));
  for (const unsigned none :
       {0U, 4U, 5U, 9U})  // no object, a blackhole, a member or an object that is not listed
    EXPECT_TRUE(hops(none).empty()) << none;
  std::vector<Route> wrapped{route("10.9.0.0/16", 0)};
  wrapped[0].nexthop_id = 8;
  fill_hops(wrapped, objects);
  EXPECT_TRUE(wrapped[0].encapsulates);
  std::vector<Route> named{route("10.9.0.0/16", m0, "10.2.0.1")};
  named[0].nexthop_id = 1;
  fill_hops(named, objects);
  EXPECT_THAT(named[0].paths(), ElementsAre(second)) << "what the kernel says itself stands";
}

// The kernel's own quirk: an object without a hop for the device ends the search among all prefixes of its
// network address, and of no other.
TEST(Fib, ANextHopObjectEndsTheSearchInItsLeaf) {
  Network net;
  Route object = route("10.9.0.0/24", m0, "10.2.0.1"), other = route("10.9.1.0/24", m0, "10.2.0.1");
  object.nexthop_id = other.nexthop_id = 1;
  net.with(object)
      .with(other)
      .with(route("10.9.0.0/16", r0, "10.1.0.1"))
      .with(route("10.8.0.0/14", r0, "10.1.0.2"));
  EXPECT_THAT(net.says("10.9.0.0/23"), ElementsAre("10.9.0.0-10.9.0.255 10.8.0.0/14 via 10.1.0.2 dev r0",
                                                   "10.9.1.0-10.9.1.255 10.9.0.0/16 via 10.1.0.1 dev r0"));
}

TEST(Fib, AMultipathRouteAnswersIfOneHopIsOurs) {
  Network net;
  Route both = route("10.9.0.0/16", 0);
  both.hops = {{m0, parse_ip("10.2.0.1"), 0}, {r0, parse_ip("10.1.0.1"), 0}};
  net.with(both);
  EXPECT_THAT(net.says("10.9.0.0/16"), ElementsAre(HasSubstr("nexthop via 10.1.0.1 dev r0")));
  net.tables.routes[0].hops[1].flags = RTNH_F_DEAD;
  EXPECT_THAT(net.says("10.9.0.0/16"), ElementsAre(HasSubstr("nothing")));
  net.tables.routes[0].hops[1].flags = RTNH_F_LINKDOWN;
  EXPECT_THAT(net.says("10.9.0.0/16"), ElementsAre(HasSubstr("unsure: a next hop's device has no carrier")));
}

// IPv4 looks up local and main as one until a rule was added or removed, and nothing tells which it is.
TEST(Fib, LocalAndMainAreOneTableUntilARuleIsAdded) {
  Network net;
  Route local = route("10.9.0.0/24", r0, "", RT_TABLE_LOCAL);
  local.type = RTN_LOCAL;
  net.with(local).with(route("10.9.0.0/25", r0, "10.1.0.1"));
  EXPECT_THAT(
      net.says("10.9.0.0/24"),
      ElementsAre(HasSubstr("10.9.0.0-10.9.0.127 unsure: it depends on whether a rule was ever added"),
                  "10.9.0.128-10.9.0.255 local 10.9.0.0/24 dev r0 table local"));
  net.tables.rules_changed = true;
  EXPECT_THAT(net.says("10.9.0.0/24"),
              ElementsAre("10.9.0.0-10.9.0.255 local 10.9.0.0/24 dev r0 table local"));
  net.tables.rules_changed = false;
  EXPECT_THAT(net.says("10.9.0.0/24"),
              ElementsAre(HasSubstr("10.9.0.0/25 via"), HasSubstr("local 10.9.0.0/24")));
}

TEST(Fib, WhatIsNoUnicastAddressIsNotGuessed) {
  Network net;
  net.with(route("0.0.0.0/0", r0, "10.1.0.1"));
  EXPECT_THAT(net.says("224.0.0.0/3"), ElementsAre(HasSubstr("224.0.0.0-239.255.255.255 unsure"),
                                                   "240.0.0.0-255.255.255.254 default via 10.1.0.1 dev r0",
                                                   HasSubstr("255.255.255.255 unsure")));
}

TEST(Fib, WhatWasLearnedOfOneDestinationIsNoRoute) {
  Network net;
  Route learned = route("10.9.0.7/32", r0, "10.1.0.9");
  learned.cached = true;
  net.with(learned).with(route("10.9.0.0/16", r0, "10.1.0.1"));
  EXPECT_EQ(net.says("10.9.0.0/16").size(), 1u);
}

struct Network6 : Network {
  Network6() {
    tables.rules = {rule(0, RT_TABLE_LOCAL), rule(32766, RT_TABLE_MAIN)};
    flow.source = parse_ip("2001:db8:1::21");
  }
};

TEST(Fib6, TheLongestPrefixAndTheSmallerMetric) {
  Network6 net;
  Route cheap = route("2001:db8:9::/48", r0, "2001:db8:1::1"),
        costly = route("2001:db8:9::/48", r0, "2001:db8:1::2");
  cheap.priority = 64, costly.priority = 1024;
  net.with(cheap).with(costly).with(refusing("2001:db8:9::8000/113", RTN_UNREACHABLE));
  EXPECT_THAT(net.says("2001:db8:9::/112"),
              ElementsAre("2001:db8:9::-2001:db8:9::7fff 2001:db8:9::/48 via 2001:db8:1::1 dev r0 metric 64",
                          "2001:db8:9::8000-2001:db8:9::ffff unreachable 2001:db8:9::8000/113 dev lo"));
}

// With a source the device of a lookup is a wish that decides between routes of one prefix and metric;
// without one it is a condition.
TEST(Fib6, TheDeviceIsAWishWhereThereIsASource) {
  Network6 net;
  net.with(route("2001:db8:9::/48", m0, "2001:db8:2::1")).with(route("2001:db8::/32", r0, "2001:db8:1::1"));
  EXPECT_THAT(net.says("2001:db8:9::/64"), ElementsAre(HasSubstr("dev m0")));
  net.flow.source.reset();
  EXPECT_THAT(net.says("2001:db8:9::/64"), ElementsAre(HasSubstr("dev r0")));
  net.flow.source = parse_ip("2001:db8:1::21");
  net.with(route("2001:db8:9::/48", r0, "2001:db8:1::1"));
  EXPECT_THAT(net.says("2001:db8:9::/64"),
              ElementsAre(HasSubstr("2001:db8:9::/48 via 2001:db8:1::1 dev r0")));
}

TEST(Fib6, ThePreferredRouterAndATie) {
  Network6 net;
  Route low = route("::/0", r0, "2001:db8:1::1"), high = route("::/0", r0, "2001:db8:1::2");
  low.preference = 3, high.preference = 1;
  net.with(low).with(high);
  EXPECT_THAT(net.says("2001:db8:9::/64"), ElementsAre(HasSubstr("via 2001:db8:1::2")));
  net.tables.routes[0].preference = 1;
  EXPECT_THAT(net.says("2001:db8:9::/64"), ElementsAre(HasSubstr("unsure: routes of one prefix and metric")));
}

TEST(Fib6, SourceSpecificRoutes) {
  Network6 net;
  Route ours = route("2001:db8:9::/48", r0, "2001:db8:1::1"),
        others = route("2001:db8:9::/48", r0, "2001:db8:1::2");
  ours.from = prefix("2001:db8:1::/64"), others.from = prefix("2001:db8:2::/64");
  net.with(others).with(route("2001:db8::/32", r0, "2001:db8:1::3"));
  // The kernel passes over the plain routes of a prefix that has source-specific ones, if none of those
  // matches.
  net.with(route("2001:db8:9::/48", r0, "2001:db8:1::4"));
  EXPECT_THAT(net.says("2001:db8:9::/64"), ElementsAre(HasSubstr("2001:db8::/32 via 2001:db8:1::3")));
  net.with(ours);
  EXPECT_THAT(net.says("2001:db8:9::/64"), ElementsAre(HasSubstr("2001:db8:9::/48 from 2001:db8:1::/64")));
}

TEST(Fib6, AThrowAndAnExpiredRoute) {
  Network6 net;
  Route gone = route("2001:db8:9::/48", r0, "2001:db8:1::9");
  gone.expired = true;
  net.with(rule(100, 100))
      .with(refusing("2001:db8:9::/64", RTN_THROW, 100))
      .with(route("::/0", r0, "2001:db8:1::2", 100));
  net.with(gone).with(route("2001:db8::/32", r0, "2001:db8:1::1"));
  EXPECT_THAT(net.says("2001:db8:9::/63"),
              ElementsAre(HasSubstr("2001:db8::/32 via 2001:db8:1::1"),
                          HasSubstr("default via 2001:db8:1::2 dev r0 table 100")));
}

TEST(IpText, PrintsWhatIpPrints) {
  Route full = route("10.9.0.0/16", r0, "10.1.0.1", 100);
  full.source = parse_ip("10.1.0.21");
  full.mtu = 1500, full.mtu_locked = true, full.priority = 10, full.flags = RTNH_F_ONLINK;
  EXPECT_EQ(ip_route_form(full, names),
            "10.9.0.0/16 via 10.1.0.1 dev r0 onlink table 100 src 10.1.0.21 metric 10 mtu lock 1500");
  full.gateway = parse_ip("fe80::1");
  EXPECT_THAT(ip_route_form(full, {}), HasSubstr("via inet6 fe80::1 dev if3"));
  Rule marked = rule(9, 200);
  marked.mark = 0x200, marked.mark_mask = 0xf00;
  EXPECT_EQ(ip_rule_form(marked), "9: from all fwmark 512/3840 lookup 200");
}

TEST(IpAddress, ReadsAndPrintsBothFamilies) {
  for (const char* text : {"0.0.0.0", "255.255.255.255", "10.1.0.21", "::", "::1", "2001:db8::1", "ffff::"})
    EXPECT_EQ(to_string(*parse_ip(text)), text);
  for (const char* bad : {"", "10.1.0", "::1::", "10.1.0.256"})
    EXPECT_FALSE(parse_ip(bad)) << bad;
  for (const char* bad : {"10.0.0.0/33", "::/129", "::/x", "::", "10.0.0.0/-1"})
    EXPECT_FALSE(parse_ip_prefix(bad)) << bad;
  EXPECT_EQ(to_string(IpRange{*parse_ip("10.1.2.1"), *parse_ip("10.1.2.255")}), "10.1.2.1-10.1.2.255");
  EXPECT_FALSE(prefix("::/0").contains(*parse_ip("10.0.0.1")));
  EXPECT_TRUE(prefix("::/0").contains(*parse_ip("ffff::")));
}

}  // namespace

}  // namespace mlc::test
