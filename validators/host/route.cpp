#include "validators/host/route.hpp"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include <map>

namespace mlc {

namespace {

std::string type_name(unsigned type) {
  switch (type) {
    case RTN_UNICAST:
      return "";
    case RTN_LOCAL:
      return "local";
    case RTN_BROADCAST:
      return "broadcast";
    case RTN_ANYCAST:
      return "anycast";
    case RTN_MULTICAST:
      return "multicast";
    case RTN_BLACKHOLE:
      return "blackhole";
    case RTN_UNREACHABLE:
      return "unreachable";
    case RTN_PROHIBIT:
      return "prohibit";
    case RTN_THROW:
      return "throw";
    default:
      return "type " + std::to_string(type);
  }
}

std::string hop_form(const Hop& hop, IpFamily family, const DeviceNames& names) {
  std::string text;
  if (hop.gateway)
    text += std::string(" via ") + (hop.gateway->family != family ? "inet6 " : "") + to_string(*hop.gateway);
  if (hop.oif != 0) {
    const auto name = names.find(hop.oif);
    text += " dev " + (name == names.end() ? "if" + std::to_string(hop.oif) : name->second);
  }
  if (hop.flags & RTNH_F_ONLINK) text += " onlink";
  if (hop.flags & RTNH_F_DEAD) text += " dead";
  if (hop.flags & RTNH_F_LINKDOWN) text += " linkdown";
  return text;
}

}  // namespace

std::vector<Hop> Route::paths() const {
  if (!hops.empty()) return hops;
  if (!oif && !gateway) return {};
  return {{oif.value_or(0), gateway, flags}};
}

void fill_hops(std::vector<Route>& routes, const std::vector<Nexthop>& objects) {
  std::map<unsigned, const Nexthop*> by_id;
  for (const auto& object : objects)
    by_id[object.id] = &object;
  for (auto& route : routes) {
    const auto found = by_id.find(route.nexthop_id);
    if (route.nexthop_id == 0 || found == by_id.end() || !route.paths().empty()) continue;
    std::vector<unsigned> members = found->second->group;
    if (members.empty()) members = {route.nexthop_id};
    std::vector<Hop> hops;
    for (const unsigned id : members)
      if (const auto one = by_id.find(id); one != by_id.end() && !one->second->blackhole) {
        hops.push_back(one->second->hop);
        route.encapsulates = route.encapsulates || one->second->encapsulates;
      }
    if (hops.size() != members.size()) continue;
    // As the kernel lists it under nexthop_compat_mode=1.
    if (hops.size() == 1)
      route.oif = hops.front().oif, route.gateway = hops.front().gateway, route.flags = hops.front().flags;
    else
      route.hops = std::move(hops);
  }
}

std::string table_name(unsigned table) {
  return table == RT_TABLE_MAIN      ? "main"
         : table == RT_TABLE_LOCAL   ? "local"
         : table == RT_TABLE_DEFAULT ? "default"
                                     : std::to_string(table);
}

std::string ip_route_form(const Route& route, const DeviceNames& names) {
  std::string text = type_name(route.type);
  text += text.empty() ? "" : " ";
  text += route.is_default() ? "default" : to_string(route.destination);
  if (route.from && route.from->length > 0) text += " from " + to_string(*route.from);
  if (route.tos != 0) text += " tos " + std::to_string(route.tos);
  if (route.nexthop_id != 0) text += " nhid " + std::to_string(route.nexthop_id);
  if (route.hops.empty())
    for (const auto& hop : route.paths())
      text += hop_form(hop, route.family(), names);
  if (route.table != RT_TABLE_MAIN) text += " table " + table_name(route.table);
  if (route.source) text += " src " + to_string(*route.source);
  if (route.priority != 0) text += " metric " + std::to_string(route.priority);
  if (route.mtu > 0)
    text += std::string(" mtu ") + (route.mtu_locked ? "lock " : "") + std::to_string(route.mtu);
  for (const auto& hop : route.hops)
    text += " nexthop" + hop_form(hop, route.family(), names);
  return text;
}

std::string ip_route_del(const Route& route, const DeviceNames& names) {
  Route named = route;
  named.source.reset(), named.mtu = 0, named.hops.clear();
  if (route.nexthop_id != 0 || !route.hops.empty()) named.oif = 0, named.gateway.reset();
  // It is the object that is the blackhole, and the kernel of IPv4 looks for a route of just that type.
  if (route.nexthop_id != 0 && route.type == RTN_BLACKHOLE && route.family() == IpFamily::v4)
    named.type = RTN_UNICAST;
  return "ip " + std::string(route.family() == IpFamily::v6 ? "-6 " : "") + "route del " +
         ip_route_form(named, names);
}

std::string ip_rule_form(const Rule& rule) {
  std::string text = std::to_string(rule.priority) + ":" + (rule.inverted ? " not" : "") + " from " +
                     (rule.from ? to_string(*rule.from) : "all");
  if (rule.to) text += " to " + to_string(*rule.to);
  if (rule.tos != 0) text += " tos " + std::to_string(rule.tos);
  if (rule.dscp) text += " dscp " + std::to_string(*rule.dscp);
  if (rule.mark) {
    text += " fwmark " + std::to_string(*rule.mark);
    if (rule.mark_mask != 0xffffffff) text += "/" + std::to_string(rule.mark_mask);
  }
  if (!rule.iif.empty()) text += " iif " + rule.iif;
  if (!rule.oif.empty()) text += " oif " + rule.oif;
  if (rule.uid)
    text += " uidrange " + std::to_string(rule.uid->first) + "-" + std::to_string(rule.uid->second);
  if (rule.protocol) text += " ipproto " + std::to_string(*rule.protocol);
  if (rule.ports) text += " of some ports";
  if (rule.other) text += " and more";
  switch (rule.action) {
    case FR_ACT_TO_TBL:
      text += rule.l3mdev ? " lookup [l3mdev-table]" : " lookup " + table_name(rule.table);
      break;
    case FR_ACT_GOTO:
      text += " goto " + std::to_string(rule.target.value_or(0));
      break;
    case FR_ACT_NOP:
      text += " nop";
      break;
    case FR_ACT_BLACKHOLE:
      text += " blackhole";
      break;
    case FR_ACT_UNREACHABLE:
      text += " unreachable";
      break;
    case FR_ACT_PROHIBIT:
      text += " prohibit";
      break;
    default:
      text += " action " + std::to_string(rule.action);
  }
  if (rule.suppress_prefixlen >= 0)
    text += " suppress_prefixlength " + std::to_string(rule.suppress_prefixlen);
  if (rule.suppress_ifgroup) text += " suppress_ifgroup " + std::to_string(*rule.suppress_ifgroup);
  return text;
}

}  // namespace mlc
