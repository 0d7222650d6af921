// Routes, rules and next hops as the kernel lists them, of either family.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "validators/host/ip_address.hpp"

namespace mlc {

struct Hop {
  int oif = 0;                       // 0: none named
  std::optional<IpAddress> gateway;  // may be of the other family: "via inet6 fe80::1"
  unsigned flags = 0;                // RTNH_F_DEAD, RTNH_F_LINKDOWN, RTNH_F_ONLINK
  bool operator==(const Hop&) const = default;
};

struct Route {
  unsigned table = 0, type = 0, scope = 0,
           priority = 0;             // type: RTN_UNICAST, RTN_BLACKHOLE; priority: metric
  unsigned tos = 0;                  // 0: any
  IpPrefix destination;              // length 0: default route
  std::optional<IpPrefix> from;      // IPv6, source-specific
  std::optional<int> oif;            // of a route with one hop
  std::optional<IpAddress> gateway;  // the same
  unsigned flags = 0;                // the same: RTNH_F_*
  std::vector<Hop> hops;             // of a multipath route
  std::optional<IpAddress> source;   // RTA_PREFSRC: what an unbound socket sends from
  unsigned mtu = 0;                  // RTAX_MTU; 0: none
  bool mtu_locked = false;           // no path MTU discovery
  unsigned preference = 0;           // IPv6: RTA_PREF, 0 medium, 1 high, 3 low
  unsigned nexthop_id = 0;           // 0: no next hop object
  bool encapsulates = false;         // RTA_ENCAP: MPLS, SRv6, a tunnel
  bool cached = false;               // RTM_F_CLONED: what was learned of one destination, no entry of a table
  bool expired = false;              // IPv6: its lifetime is over

  IpFamily family() const { return destination.family(); }
  bool is_default() const { return destination.length == 0; }
  std::vector<Hop> paths() const;  // the hops, or the only one; empty for a blackhole
  bool operator==(const Route&) const = default;
};

struct Rule {
  unsigned priority = 0, table = 0, action = 0;  // action: FR_ACT_TO_TBL, FR_ACT_GOTO, FR_ACT_BLACKHOLE
  std::optional<IpPrefix> from, to;
  std::string iif, oif;
  std::optional<unsigned> mark;
  unsigned mark_mask = 0xffffffff;
  unsigned tos = 0;              // IPTOS of the header; 0: any
  std::optional<unsigned> dscp;  // FRA_DSCP (Linux 6.12): exact, 0 too
  unsigned dscp_mask = 0x3f;
  bool inverted = false;           // "not": of all that it asks together
  bool l3mdev = false;             // the table of the VRF
  std::optional<unsigned> target;  // of FR_ACT_GOTO: a priority
  bool unresolved = false;         // a goto without a target: passed over
  int suppress_prefixlen = -1;     // what matched with no longer prefix does not count
  std::optional<unsigned> suppress_ifgroup;
  std::optional<unsigned> protocol;  // ipproto
  std::optional<std::pair<unsigned, unsigned>> uid;
  bool ports = false;  // asks for a port, of either side
  bool other = false;  // asks for what is not read here
  bool operator==(const Rule&) const = default;
};

// A next hop object: one hop, a blackhole or a group of others.
struct Nexthop {
  unsigned id = 0;
  Hop hop;
  bool blackhole = false;
  std::vector<unsigned> group;
  bool encapsulates = false;  // as of a route
  bool operator==(const Nexthop&) const = default;
};

using DeviceNames = std::map<int, std::string>;  // by interface index

// As `ip route` and `ip rule` print them, so that what is shown can be searched for and deleted.
std::string ip_route_form(const Route& route, const DeviceNames& names);
// The command that takes it away: what tells it from others, and no more ("nhid" and "dev" exclude each other
// there).
std::string ip_route_del(const Route& route, const DeviceNames& names);
std::string ip_rule_form(const Rule& rule);
// Gives hops to routes that name a next hop object and none (net.ipv4.nexthop_compat_mode=0). Those of a
// blackhole, and of an object that is not listed, stay without.
void fill_hops(std::vector<Route>& routes, const std::vector<Nexthop>& objects);

std::string table_name(unsigned table);  // "main", "local", "100"

}  // namespace mlc
