#include "validators/checks/route_coverage.hpp"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <set>

namespace mlc {

namespace {

struct Verdict {
  Status status = Status::pass;
  std::string said, remedy;
  bool operator==(const Verdict&) const = default;
};

std::string add_route(const RouteDemand& demand) {
  return "ip route add " + to_string(demand.within) +
         (demand.gateway   ? " via " + to_string(*demand.gateway)
          : demand.on_link ? ""
                           : " via GATEWAY") +
         " dev " + demand.device + " src " + to_string(demand.source) +
         " (or 'routes' in the CNI's IPAM, or sbr)";
}

// A number before the rule that answers now.
std::string before(const Rule* rule) {
  return rule && rule->priority > 0 ? " priority " + std::to_string(rule->priority - 1) : "";
}

bool is_looked_up(const FibTables& tables, unsigned table) {
  return std::ranges::any_of(tables.rules, [&](const Rule& rule) {
    return rule.action == FR_ACT_TO_TBL && (rule.table == table || rule.l3mdev);
  });
}

// What takes the route's place where it is: it may be there, and a lookup from this rail does not come to it.
std::string way_to_a_route(const RouteDemand& demand, const FibTables& tables, const FibRange& part,
                           const DeviceNames& names) {
  const IpAddress& first = part.range.first;
  for (const Route& route : tables.routes)
    if (route.type == RTN_THROW && route.destination.contains(first))
      return "remove what turns the lookup away: " + ip_route_del(route, names);
  if (const Route* found = part.answer.route;
      found && found->destination.length >= demand.within.length && !found->is_default())
    return "remove what is there instead: " + ip_route_del(*found, names) + "; if nothing is left then, " +
           add_route(demand);
  for (const Route& route : tables.routes) {
    const auto hops = route.paths();
    const bool of_the_rail =
        !hops.empty() && std::ranges::all_of(hops, [&](const auto& hop) { return hop.oif == demand.oif; });
    const bool shared = route.table == RT_TABLE_MAIN || route.table == RT_TABLE_DEFAULT;
    if (route.type != RTN_UNICAST || !of_the_rail || !route.destination.contains(first) ||
        route.is_default() || (shared && is_looked_up(tables, route.table)))
      continue;
    return "table " + table_name(route.table) +
           " has the route, and no rule leads there before: ip rule add " +
           (shared ? "from all" : "from " + to_string(demand.source)) + " lookup " + table_name(route.table) +
           (shared ? " priority 32766" : before(part.answer.rule));
  }
  return add_route(demand);
}

Verdict refused(const FibAnswer& answer, const std::string& shown, const DeviceNames& names) {
  if (answer.route)
    return {Status::fail, shown.substr(0, shown.find(' ')) + ": " + shown,
            "find who wrote it, and remove it: " + ip_route_del(*answer.route, names)};
  const std::string rule = answer.rule ? ip_rule_form(*answer.rule) : "?";
  return {Status::fail, "refused by rule '" + rule + "'",
          "give the rail's rule a lower priority number, or remove this one: ip rule del priority " +
              std::to_string(answer.rule ? answer.rule->priority : 0)};
}

// A rail's own table may have nothing but a default route: the rule that leads there is for the rail alone.
bool of_the_rail_alone(const FibAnswer& answer) {
  const Rule* rule = answer.rule;
  const bool shared = answer.route->table == RT_TABLE_MAIN || answer.route->table == RT_TABLE_DEFAULT;
  return !shared && rule && !rule->inverted &&
         ((rule->from && rule->from->length > 0) || !rule->oif.empty() || rule->l3mdev);
}

// What is wrong with the next hops of a unicast route.
std::optional<Verdict> wrong_hops(const RouteDemand& demand, const Route& route, const std::string& shown,
                                  const std::string& way, const std::string& remove) {
  const auto hops = route.paths();
  std::set<int> devices;
  for (const auto& hop : hops)
    devices.insert(hop.oif);
  if (devices.size() > 1)
    return Verdict{Status::fail,
                   "matches a multipath route over " + std::to_string(devices.size()) + " devices: " + shown,
                   "give each rail its own route: a queue pair is bound to one rail"};
  if (devices.size() == 1 && !devices.contains(demand.oif) && !devices.contains(0))
    return Verdict{Status::fail, "leaves by the wrong device: " + shown, way};
  for (const auto& hop : hops) {
    if (demand.gateway && hop.gateway != demand.gateway)
      return Verdict{
          Status::fail,
          "goes " + (hop.gateway ? "via " + to_string(*hop.gateway) : std::string("on link")) + ": " + shown,
          "the way is via " + to_string(*demand.gateway) + ": ip route replace " +
              to_string(route.destination) + " via " + to_string(*demand.gateway) + " dev " + demand.device +
              (route.table == RT_TABLE_MAIN ? "" : " table " + table_name(route.table))};
    if (demand.on_link && hop.gateway)
      return Verdict{Status::fail,
                     "goes via " + to_string(*hop.gateway) + " though the address is on this rail: " + shown,
                     route.destination.length > demand.within.length
                         ? "remove the route that is more specific than the rail's own prefix: " + remove
                         : "the rail's own prefix has no route in table " + table_name(route.table) +
                               ": ip route add " + to_string(demand.within) + " dev " + demand.device +
                               " src " + to_string(demand.source) +
                               (route.table == RT_TABLE_MAIN ? "" : " table " + table_name(route.table))};
    const bool known = std::ranges::any_of(
        demand.own, [&](const IpPrefix& own) { return hop.gateway && own.contains(*hop.gateway); });
    if ((hop.flags & RTNH_F_ONLINK) && !demand.gateway && !known)
      return Verdict{
          Status::warn, "nothing says that the gateway is on this rail (onlink): " + shown,
          "name the rail's gateway in the policy (node.rails.addresses), or give the route one in the "
          "rail's own prefix"};
  }
  return std::nullopt;
}

Verdict judge_route(const RouteDemand& demand, const FibAnswer& answer, const std::string& shown,
                    const std::string& way, const std::string& remove) {
  const Route& route = *answer.route;
  if (route.is_default() && !of_the_rail_alone(answer))
    return {Status::fail, "only the default route matches: " + shown, way};
  if (auto wrong = wrong_hops(demand, route, shown, way, remove)) return *wrong;
  if (route.encapsulates)
    return {Status::unknown, "the route puts packets into others (encap): " + shown,
            "see where they come out: ip route show " + to_string(route.destination)};
  if (route.mtu > 0 && route.mtu < demand.mtu)
    return {Status::fail, "the route's MTU is " + std::to_string(route.mtu) + ": " + shown,
            "remove 'mtu " + std::to_string(route.mtu) + "' from the route"};
  const bool own_source = std::ranges::any_of(
      demand.own, [&](const IpPrefix& own) { return route.source && own.address == *route.source; });
  Route from_the_rail = route;
  from_the_rail.source = demand.source;
  if (route.source && !own_source)
    return {Status::fail, "sends from " + to_string(*route.source) + ", which is not the rail's: " + shown,
            "ip route change " + ip_route_form(from_the_rail, {{demand.oif, demand.device}}) +
                ": what is not bound to an address takes the route's"};
  // Nobody has said what is enough, and a route may have its reason.
  if (demand.mtu == 0 && route.mtu > 0 && route.mtu < demand.device_mtu)
    return {Status::warn,
            "the route's MTU is " + std::to_string(route.mtu) + " where the rail's is " +
                std::to_string(demand.device_mtu) + ": " + shown,
            "remove 'mtu " + std::to_string(route.mtu) +
                "' from the route, or say what is enough: node.rails.netdev_mtu"};
  if (route.mtu_locked)
    return {Status::warn, "its MTU is locked, so a smaller one on the path is never learned: " + shown,
            "replace 'mtu lock' by 'mtu' in the route"};
  return {Status::pass, shown, {}};
}

std::optional<Verdict> judge(const RouteDemand& demand, const FibTables& tables, const FibRange& part,
                             const DeviceNames& names) {
  const FibAnswer& answer = part.answer;
  const std::string way = way_to_a_route(demand, tables, part, names);
  const std::string shown = answer.route ? ip_route_form(*answer.route, names) : "";
  switch (answer.outcome) {
    case FibOutcome::unsure:
      return Verdict{Status::unknown, answer.why + (shown.empty() ? "" : ": " + shown),
                     "ip rule show; ip route get fibmatch " + to_string(part.range.first) + " from " +
                         to_string(demand.source) + " oif " + demand.device};
    case FibOutcome::nothing:
      return Verdict{Status::fail, "no route matches", way};
    case FibOutcome::refused:
      return refused(answer, shown, names);
    case FibOutcome::route:
      break;
  }
  if (answer.route->type == RTN_UNICAST)
    return judge_route(demand, answer, shown, way, ip_route_del(*answer.route, names));
  if (of_this_node(demand.node, part.range, *answer.route)) return std::nullopt;
  return Verdict{Status::fail, "stays on this node: " + shown,
                 "remove it: " + ip_route_del(*answer.route, names)};
}

// `range` without what `except` covers.
std::vector<IpRange> without(const IpRange& range, const std::vector<IpPrefix>& except) {
  std::vector<IpRange> left{range};
  for (const auto& hole : except) {
    std::vector<IpRange> rest;
    for (const auto& part : left) {
      if (hole.family() != part.first.family || hole.last() < part.first || hole.first() > part.last) {
        rest.push_back(part);
        continue;
      }
      if (part.first < hole.first()) rest.push_back({part.first, {part.first.family, hole.first().bits - 1}});
      if (hole.last() < part.last) rest.push_back({{part.first.family, hole.last().bits + 1}, part.last});
    }
    left = std::move(rest);
  }
  return left;
}

std::string described(const FibAnswer& answer, const DeviceNames& names) {
  return answer.route ? "'" + ip_route_form(*answer.route, names) + "'" : "no route";
}

bool same_entry(const Route& ours, const Route& kernels) {
  // Of IPv6 routes that share a next hop object the kernel names the first that used it
  // (rt6_get_pcpu_route()).
  if (ours.family() == IpFamily::v6 && ours.nexthop_id != 0 && kernels.nexthop_id != 0) return true;
  // As long as local and main are one trie the kernel calls both main.
  const auto table = [](unsigned id) { return id == RT_TABLE_LOCAL ? unsigned{RT_TABLE_MAIN} : id; };
  return table(ours.table) == table(kernels.table) &&
         ours.destination.first() == kernels.destination.first() &&
         ours.destination.length == kernels.destination.length && ours.priority == kernels.priority &&
         ours.type == kernels.type;
}

}  // namespace

bool of_this_node(const std::vector<IpPrefix>& node, const IpRange& range, const Route& route) {
  if (range.first != range.last) return false;
  return std::ranges::any_of(node, [&](const IpPrefix& one) {
    return route.type == RTN_LOCAL ? range.first == one.address
                                   : range.first == one.first() || range.first == one.last();
  });
}

std::vector<JudgedRange> judge_ranges(const RouteDemand& demand, const FibTables& tables,
                                      const std::vector<FibRange>& ranges, const DeviceNames& names) {
  std::vector<JudgedRange> judged;
  for (const auto& part : ranges)
    for (const auto& range : without(part.range, demand.except)) {
      const auto verdict = judge(demand, tables, {range, part.answer}, names);
      if (!verdict) continue;
      const bool same = !judged.empty() && judged.back().range.last.bits + 1 == range.first.bits &&
                        judged.back().said == verdict->said && judged.back().status == verdict->status;
      if (same)
        judged.back().range.last = range.last;
      else
        judged.push_back({range, verdict->status, verdict->said, verdict->remedy});
    }
  return judged;
}

std::vector<IpAddress> boundaries(const RouteDemand& demand, const std::vector<FibRange>& ranges,
                                  std::size_t limit) {
  std::vector<IpAddress> addresses;
  const auto add = [&](std::size_t index) {
    for (const auto& range : without(ranges[index].range, demand.except)) {
      addresses.push_back(range.first);
      if (range.last != range.first) addresses.push_back(range.last);
    }
  };
  // Of too many ranges some, spread evenly, and the last.
  const std::size_t step = (ranges.size() + limit - 1) / std::max<std::size_t>(limit, 1);
  for (std::size_t i = 0; i + 1 < ranges.size(); i += step)
    add(i);
  if (!ranges.empty()) add(ranges.size() - 1);
  return addresses;
}

CrossCheck cross_check(const std::vector<FibRange>& ranges, const std::vector<KernelAnswer>& answers,
                       const DeviceNames& names) {
  CrossCheck check;
  for (const auto& asked : answers) {
    const auto part =
        std::ranges::find_if(ranges, [&](const FibRange& one) { return one.range.contains(asked.address); });
    if (part == ranges.end() || part->answer.outcome == FibOutcome::unsure) continue;
    const FibAnswer& ours = part->answer;
    const Read<Route>& kernel = asked.match;
    if (kernel.not_captured()) {
      check.not_asked = kernel.why;
    } else if (!kernel && !kernel.missing()) {
      check.failed = kernel.why;
    } else if (kernel && kernel->cached) {
      check.not_asked = "this kernel does not know FIB_MATCH";
    } else {
      const bool routed = ours.outcome == FibOutcome::route;
      if (kernel ? routed && same_entry(*ours.route, *kernel) : !routed) {
        ++check.agreed;
        continue;
      }
      check.refused = check.refused || (routed && !kernel);
      check.disagreements.push_back(to_string(asked.address) + ": the tables say " + described(ours, names) +
                                    ", the kernel answers " +
                                    (kernel ? "'" + ip_route_form(*kernel, names) + "'" : kernel.why));
    }
  }
  return check;
}

}  // namespace mlc
