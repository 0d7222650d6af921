// Routes, rules and next hops out of netlink messages.
#include <arpa/inet.h>
#include <linux/fib_rules.h>
#include <linux/netlink.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "validators/host/netlink_message.hpp"
#include "validators/host/netlink_reading.hpp"

namespace mlc {

namespace {

using netlink::number, netlink::read_as, netlink::split, netlink::text;

// Of <linux/fib_rules.h> since Linux 6.12 and 6.15; Debian 12's headers end before them.
constexpr std::uint16_t fra_dscp = FRA_DPORT_RANGE + 1, fra_dscp_mask = FRA_DPORT_RANGE + 6,
                        fra_known = FRA_DPORT_RANGE;

unsigned char system_family(IpFamily family) { return family == IpFamily::v4 ? AF_INET : AF_INET6; }

std::optional<IpFamily> family_of(unsigned family) {
  return family == AF_INET    ? std::optional(IpFamily::v4)
         : family == AF_INET6 ? std::optional(IpFamily::v6)
                              : std::nullopt;
}

// A prefix of this family, or nothing where the address is of another length.
std::optional<IpPrefix> prefix(IpFamily family, std::string_view bytes, int length) {
  const auto address = ip_from_bytes(bytes);
  return address && address->family == family ? std::optional(IpPrefix{*address, length}) : std::nullopt;
}

// RTA_VIA: a family and an address of it.
std::optional<IpAddress> via(std::string_view bytes) {
  return bytes.size() > 2 ? ip_from_bytes(bytes.substr(2)) : std::nullopt;
}

std::vector<Hop> multipath(std::string_view value) {
  std::vector<Hop> hops;
  while (value.size() >= sizeof(rtnexthop)) {
    const auto entry = *read_as<rtnexthop>(value);
    if (entry.rtnh_len < sizeof(rtnexthop) || entry.rtnh_len > value.size()) break;
    Hop hop{entry.rtnh_ifindex, {}, entry.rtnh_flags};
    for_each_attribute(value.substr(sizeof(rtnexthop), entry.rtnh_len - sizeof(rtnexthop)),
                       [&hop](std::uint16_t type, std::string_view address) {
                         if (type == RTA_GATEWAY) hop.gateway = ip_from_bytes(address);
                         if (type == RTA_VIA) hop.gateway = via(address);
                       });
    hops.push_back(hop);
    value.remove_prefix(std::min<std::size_t>(RTNH_ALIGN(entry.rtnh_len), value.size()));
  }
  return hops;
}

void read_metrics(Route& route, std::string_view value) {
  for_each_attribute(value, [&route](std::uint16_t metric, std::string_view amount) {
    if (metric == RTAX_MTU) route.mtu = number(amount).value_or(0);
    if (metric == RTAX_LOCK) route.mtu_locked = (number(amount).value_or(0) & 1u << RTAX_MTU) != 0;
  });
}

void read_route_attribute(Route& route, const rtmsg& header, std::uint16_t type, std::string_view value) {
  const IpFamily family = route.family();
  switch (type) {
    case RTA_DST:
      if (const auto destination = prefix(family, value, header.rtm_dst_len))
        route.destination = *destination;
      break;
    case RTA_SRC:
      route.from = prefix(family, value, header.rtm_src_len);
      break;
    case RTA_OIF:
      if (const auto oif = number(value)) route.oif = static_cast<int>(*oif);
      break;
    case RTA_GATEWAY:
      route.gateway = ip_from_bytes(value);
      break;
    case RTA_VIA:
      route.gateway = via(value);
      break;
    case RTA_PREFSRC:
      route.source = ip_from_bytes(value);
      break;
    case RTA_TABLE:
      route.table = number(value).value_or(route.table);
      break;
    case RTA_PRIORITY:
      route.priority = number(value).value_or(0);
      break;
    case RTA_METRICS:
      read_metrics(route, value);
      break;
    case RTA_MULTIPATH:
      route.hops = multipath(value);
      break;
    case RTA_PREF:
      route.preference = number(value).value_or(0);
      break;
    case RTA_NH_ID:
      route.nexthop_id = number(value).value_or(0);
      break;
    case RTA_ENCAP_TYPE:
      route.encapsulates = number(value).value_or(0) != 0;
      break;
    case RTA_CACHEINFO:
      if (const auto info = read_as<rta_cacheinfo>(value)) route.expired = info->rta_expires < 0;
      break;
    default:
      break;
  }
}

void read_rule_attribute(Rule& rule, const fib_rule_hdr& header, IpFamily family, std::uint16_t type,
                         std::string_view value) {
  switch (type) {
    case FRA_SRC:
      rule.from = prefix(family, value, header.src_len);
      break;
    case FRA_DST:
      rule.to = prefix(family, value, header.dst_len);
      break;
    case FRA_IIFNAME:
      rule.iif = text(value);
      break;
    case FRA_OIFNAME:
      rule.oif = text(value);
      break;
    case FRA_PRIORITY:
      rule.priority = number(value).value_or(0);
      break;
    case FRA_TABLE:
      rule.table = number(value).value_or(rule.table);
      break;
    case FRA_GOTO:
      rule.target = number(value);
      break;
    case FRA_FWMARK:
      rule.mark = number(value);
      break;
    case FRA_FWMASK:
      rule.mark_mask = number(value).value_or(rule.mark_mask);
      break;
    case FRA_SUPPRESS_PREFIXLEN:
      rule.suppress_prefixlen = static_cast<int>(number(value).value_or(0xffffffff));
      break;
    case FRA_SUPPRESS_IFGROUP:
      if (const auto group = number(value); group && *group != 0xffffffff) rule.suppress_ifgroup = group;
      break;
    case FRA_L3MDEV:
      rule.l3mdev = number(value).value_or(0) != 0;
      break;
    case FRA_UID_RANGE:
      if (const auto range = read_as<fib_rule_uid_range>(value)) rule.uid = {range->start, range->end};
      break;
    case FRA_IP_PROTO:
      if (const auto protocol = number(value); protocol && *protocol != 0) rule.protocol = protocol;
      break;
    case FRA_SPORT_RANGE:
    case FRA_DPORT_RANGE:
      rule.ports = true;
      break;
    case FRA_TUN_ID:
      rule.other = true;
      break;
    case fra_dscp:
      rule.dscp = number(value);
      break;
    case fra_dscp_mask:
      rule.dscp_mask = number(value).value_or(rule.dscp_mask);
      break;
    default:  // FRA_FLOW, FRA_PROTOCOL and padding choose nothing
      rule.other = rule.other || type > fra_known;
      break;
  }
}

}  // namespace

NetlinkRequest routes_request(IpFamily family) { return family_dump(RTM_GETROUTE, system_family(family)); }
NetlinkRequest rules_request(IpFamily family) { return family_dump(RTM_GETRULE, system_family(family)); }
NetlinkRequest nexthops_request() {
  return {"route", RTM_GETNEXTHOP, NLM_F_DUMP, NetlinkPayload(nhmsg{}).bytes()};
}

NetlinkRequest route_lookup_request(const IpAddress& destination, const std::optional<IpAddress>& source,
                                    std::optional<int> oif, unsigned mark, unsigned tos) {
  rtmsg header{};
  header.rtm_family = system_family(destination.family);
  header.rtm_dst_len = static_cast<unsigned char>(width(destination.family));
  if (source) header.rtm_src_len = static_cast<unsigned char>(width(source->family));
  header.rtm_tos = static_cast<unsigned char>(tos);
  header.rtm_flags =
      RTM_F_FIB_MATCH | RTM_F_LOOKUP_TABLE;  // Linux 4.13; LOOKUP_TABLE: name the table it matched in
  NetlinkPayload payload(header);
  payload.put(RTA_DST, ip_bytes(destination));
  if (source) payload.put(RTA_SRC, ip_bytes(*source));
  if (oif) payload.put_u32(RTA_OIF, static_cast<std::uint32_t>(*oif));
  if (mark != 0) payload.put_u32(RTA_MARK, mark);
  return {"route", RTM_GETROUTE, 0, payload.bytes()};
}

std::optional<Route> parse_route(const NetlinkMessage& message) {
  if (message.type != RTM_NEWROUTE) return std::nullopt;
  const auto parts = split<rtmsg>(message);
  const auto family = parts ? family_of(parts->first.rtm_family) : std::nullopt;
  if (!family || parts->first.rtm_dst_len > width(*family) || parts->first.rtm_src_len > width(*family))
    return std::nullopt;
  const rtmsg& header = parts->first;
  Route route;
  route.table = header.rtm_table;
  route.type = header.rtm_type;
  route.scope = header.rtm_scope;
  route.tos = header.rtm_tos;
  route.flags = header.rtm_flags & 0xff;  // RTNH_F_*; RTM_F_* lie above
  route.cached = (header.rtm_flags & RTM_F_CLONED) != 0;
  route.destination = {{*family, 0}, 0};
  for_each_attribute(parts->second, [&](std::uint16_t type, std::string_view value) {
    read_route_attribute(route, header, type, value);
  });
  // Without its address a prefix is not the default route.
  if (header.rtm_dst_len != route.destination.length) return std::nullopt;
  return route;
}

std::optional<Rule> parse_rule(const NetlinkMessage& message) {
  if (message.type != RTM_NEWRULE) return std::nullopt;
  const auto parts = split<fib_rule_hdr>(message);
  const auto family = parts ? family_of(parts->first.family) : std::nullopt;
  if (!family || parts->first.src_len > width(*family) || parts->first.dst_len > width(*family))
    return std::nullopt;
  const fib_rule_hdr& header = parts->first;
  Rule rule;
  rule.table = header.table;
  rule.action = header.action;
  rule.tos = header.tos;
  rule.inverted = (header.flags & FIB_RULE_INVERT) != 0;
  rule.unresolved = (header.flags & FIB_RULE_UNRESOLVED) != 0;
  for_each_attribute(parts->second, [&](std::uint16_t type, std::string_view value) {
    read_rule_attribute(rule, header, *family, type, value);
  });
  // A selector that was not understood must not become "all".
  if ((header.src_len > 0 && !rule.from) || (header.dst_len > 0 && !rule.to)) rule.other = true;
  return rule;
}

std::optional<Nexthop> parse_nexthop(const NetlinkMessage& message) {
  if (message.type != RTM_NEWNEXTHOP) return std::nullopt;
  const auto parts = split<nhmsg>(message);
  if (!parts) return std::nullopt;
  Nexthop nexthop;
  nexthop.hop.flags = parts->first.nh_flags;
  for_each_attribute(parts->second, [&nexthop](std::uint16_t type, std::string_view value) {
    if (type == NHA_ID) nexthop.id = number(value).value_or(0);
    if (type == NHA_BLACKHOLE) nexthop.blackhole = true;
    if (type == NHA_ENCAP_TYPE) nexthop.encapsulates = number(value).value_or(0) != 0;
    if (type == NHA_OIF) nexthop.hop.oif = static_cast<int>(number(value).value_or(0));
    if (type == NHA_GATEWAY) nexthop.hop.gateway = ip_from_bytes(value);
    if (type == NHA_GROUP)
      for (; value.size() >= sizeof(nexthop_grp); value.remove_prefix(sizeof(nexthop_grp)))
        nexthop.group.push_back(read_as<nexthop_grp>(value)->id);
  });
  if (nexthop.id == 0) return std::nullopt;
  return nexthop;
}

}  // namespace mlc
