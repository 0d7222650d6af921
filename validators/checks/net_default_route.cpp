#include <linux/rtnetlink.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "reports/record/text.hpp"
#include "validators/checks/check.hpp"
#include "validators/checks/rail_routing.hpp"
#include "validators/checks/route_coverage.hpp"

namespace mlc::checks {

namespace {

struct Way {
  std::string subject;
  IpPrefix within;
  int oif = 0;
  std::string device;
  std::vector<IpPrefix> node;  // this node's addresses, with host bits
};

struct Leaving {
  Status status = Status::skip;
  std::string said, remedy;
};

constexpr const char* bind_or =
    "; or bind with the rail's address: rdma_cm and TCP sockets without a source go this way";

// What is wrong with where this range leaves, as a TCP socket without a device would send.
Leaving leaves(const Way& way, const FibRange& part, const DeviceNames& names) {
  const FibAnswer& answer = part.answer;
  const std::string add = std::string("add the static route of the rail (net.rail-routes)") + bind_or;
  const auto remove = [&] {
    return "remove what is in its way: " + ip_route_del(*answer.route, names) + bind_or;
  };
  if (answer.outcome == FibOutcome::unsure)
    return {Status::unknown, answer.why, "ip rule show; ip route get " + to_string(part.range.first)};
  if (answer.outcome == FibOutcome::nothing)
    return {Status::fail, "no route at all",
            "net.rail-routes says whether the route is missing or not found" + std::string(bind_or)};
  if (answer.outcome == FibOutcome::refused && answer.route)
    return {Status::fail, "refused by '" + ip_route_form(*answer.route, names) + "'", remove()};
  if (answer.outcome == FibOutcome::refused)
    return {Status::fail,
            "refused by " + (answer.rule ? "rule '" + ip_rule_form(*answer.rule) + "'" : "a rule"),
            answer.rule ? "remove it, or put the rail's rule before it: ip rule del priority " +
                              std::to_string(answer.rule->priority)
                        : "ip rule show"};
  const Route& route = *answer.route;
  if (route.type != RTN_UNICAST) {
    if (of_this_node(way.node, part.range, route)) return {};
    return {Status::fail, "stays on this node: " + ip_route_form(route, names), remove()};
  }
  std::string devices;
  bool elsewhere = false;
  for (const auto& hop : route.paths()) {
    const auto name = names.find(hop.oif);
    devices += (devices.empty() ? "" : " and ") + (name == names.end() ? std::string("?") : name->second);
    elsewhere = elsewhere || hop.oif != way.oif;
  }
  // A rail's own table (source-based routing) may hold nothing but a default route.
  if (route.is_default() && (elsewhere || route.table == RT_TABLE_MAIN))
    return {Status::fail, "falls to the default route out of " + devices, add};
  if (elsewhere || devices.empty())
    return {Status::fail, "leaves by " + (devices.empty() ? "?" : devices), remove()};
  return {Status::pass, "leaves by " + devices, {}};
}

void judge(CheckFindings& findings, const Way& way, const std::vector<FibRange>& ranges,
           const DeviceNames& names) {
  Leaving worst;
  for (const auto& part : ranges) {
    Leaving one = leaves(way, part, names);
    if (severity(one.status) <= severity(worst.status)) continue;  // the first of the worst
    const bool whole = part.range == IpRange{way.within.first(), way.within.last()};
    if (one.status != Status::pass && !whole) one.said = to_string(part.range) + " " + one.said;
    worst = std::move(one);
  }
  if (worst.status == Status::skip)
    worst = {Status::unknown, "nothing but this node's own addresses", "name other nodes' addresses"};
  findings.judge(worst.status, way.subject, worst.said, "out of " + way.device,
                 "RTM_GETROUTE and RTM_GETRULE, every address, without oif", worst.remedy);
}

// Default routes of the main table out of that device: the whole of it, one of several ways, or a part that
// leads as far (0.0.0.0/1 and 128.0.0.0/1 come before any default route; 2000::/3 is all of IPv6 that is
// given out).
std::vector<std::string> defaults_by(const FibTables& tables, int oif, const DeviceNames& names) {
  std::vector<std::string> found;
  for (const auto& route : tables.routes)
    if (route.table == RT_TABLE_MAIN && route.type == RTN_UNICAST && !route.from &&
        route.destination.length <= (route.family() == IpFamily::v6 ? 3 : 1) &&
        std::ranges::any_of(route.paths(), [&](const auto& hop) { return hop.oif == oif; }))
      found.push_back(ip_route_form(route, names));
  return found;
}

// What of the address space must leave by a rail for it to be the default: one in 16. A site's own prefixes
// are less (10.0.0.0/8 is one in 256), all of IPv6 that is given out is more (2000::/3).
constexpr double share_of_a_default = 1. / 16;
constexpr int longest_of_a_default = 8;  // a prefix as long as that is a site's

double share_of_space(const IpRange& range) {
  const double space = std::ldexp(1., width(range.first.family));
  return static_cast<double>(range.last.bits - range.first.bits) / space;
}

struct Carried {
  std::vector<std::string> routes;
  bool by_rule = false;  // a table that a rule leads to
};

// The tables of one family as this source meets them: what leaves by which device.
struct SeenBy {
  IpAddress source;
  std::vector<FibRange> ranges;
};

// By the rules and tables that others than the rails' own addresses meet: routes that take what they send out
// of that device, where these take so much that it is the node's default.
Carried carried_for_others(const std::vector<SeenBy>& others, int oif, const DeviceNames& names) {
  for (const auto& other : others) {
    double share = 0;
    Carried carried;
    for (const auto& part : other.ranges) {
      const Route* route = part.answer.outcome == FibOutcome::route ? part.answer.route : nullptr;
      if (!route || route->type != RTN_UNICAST || route->destination.length >= longest_of_a_default ||
          std::ranges::none_of(route->paths(), [&](const auto& hop) { return hop.oif == oif; }))
        continue;
      share += share_of_space(part.range);
      carried.by_rule = carried.by_rule || route->table != RT_TABLE_MAIN;
      const std::string form = ip_route_form(*route, names);
      if (std::ranges::find(carried.routes, form) == carried.routes.end()) carried.routes.push_back(form);
    }
    if (share < share_of_a_default) continue;
    carried.routes.back() += other.source.bits == 0 ? ", for what has no source yet"
                                                    : ", for what " + to_string(other.source) + " sends";
    return carried;
  }
  return {};
}

// One of the sources for each answer that rules and source-specific routes can give them: a node has as many
// addresses as its cluster has Services where kube-proxy works by IPVS.
std::vector<SeenBy> seen_by_others(const FibTables& tables, const std::vector<IpAddress>& sources,
                                   IpFamily family) {
  std::vector<IpPrefix> asked;
  for (const auto& rule : tables.rules)
    if (rule.from) asked.push_back(*rule.from);
  for (const auto& route : tables.routes)
    if (route.from) asked.push_back(*route.from);
  std::set<std::vector<bool>> known;
  std::vector<SeenBy> seen;
  for (const auto& source : sources) {
    if (source.family != family) continue;
    std::vector<bool> kind{source.bits == 0};
    for (const auto& prefix : asked)
      kind.push_back(prefix.contains(source));
    if (asked.empty()) kind = {};
    if (known.insert(kind).second)
      seen.push_back({source, fib_ranges(tables, {.source = source}, {{family, 0}, 0})});
  }
  return seen;
}

// From which this node sends what is not the rails': its other addresses, and none, as of a socket before its
// first packet.
std::vector<IpAddress> sources_of_others(const std::vector<Rail>& rails, const std::vector<IpPrefix>& node) {
  std::vector<IpAddress> others{{IpFamily::v4, 0}, {IpFamily::v6, 0}};
  // Of its network is of the rail: a VF's, or what a macvlan beside it has for Pods.
  const auto of_a_rail = [&](const IpAddress& address) {
    return std::ranges::any_of(rails, [&](const Rail& rail) {
      if (rail.site && rail.site->prefix.contains(address)) return true;
      const auto is = [&](const IpPrefix& own) { return own.contains(address); };
      return std::ranges::any_of(rail.addresses, is) || std::ranges::any_of(rail.addresses6, is);
    });
  };
  for (const auto& own : node)
    if (ordinary_unicast(own.address) && !own.address.link_local() && !of_a_rail(own.address))
      others.push_back(own.address);
  return others;
}

// A router that announces itself on a rail gives every node an IPv6 default route. It does no harm to rails
// that are not of IPv6 by the policy, and takes what else is sent by IPv6 over the rail.
void judge_carrying(CheckFindings& findings, const Host& host, const Rail& rail,
                    const std::map<IpFamily, std::vector<SeenBy>>& others, const DeviceNames& names) {
  const bool six_is_the_rails = rail.site && rail.family() == IpFamily::v6;
  Status status = Status::pass;
  std::vector<std::string> carried, remedies;
  for (const IpFamily family : {IpFamily::v4, IpFamily::v6}) {
    const auto tables = host.fib(family);
    if (!tables) continue;  // of the rail's own family that is said below
    Carried found{defaults_by(*tables, rail.link->index, names)};
    if (found.routes.empty()) found = carried_for_others(others.at(family), rail.link->index, names);
    if (found.routes.empty()) continue;
    const bool six = family == IpFamily::v6;
    status = worst(status, six && !six_is_the_rails ? Status::warn : Status::fail);
    carried.insert(carried.end(), found.routes.begin(), found.routes.end());
    if (found.by_rule)
      remedies.push_back(
          "a rule leads there (ip rule show): give it 'from' with the rail's own address only");
    else
      remedies.push_back(
          six ? "where a router announces it: sysctl -w net.ipv6.conf." + rail.netdev + ".accept_ra_defrtr=0"
              : "remove 'gateway' from the rail's network attachment or netplan entry; give it "
                "'routes' instead");
  }
  findings.judge(status, rail.name(),
                 carried.empty() ? "does not carry the default route"
                                 : "carries the default route: " + join(carried, ", "),
                 "the default route on the ordinary network", "RTM_GETROUTE", join(remedies, "; "));
}

}  // namespace

extern const Check net_default_route{
    .name = "net.default-route",
    .summary = "no rail destination falls to the default route, and no rail carries it",
    .why =
        "Traffic that falls to the default route works, at the speed of the management network, and slows "
        "everybody else on it.",
    .reads = "RTM_GETROUTE and RTM_GETRULE (all tables and rules)",
    .fix = "Static routes for the rails' prefixes; the default route belongs to the ordinary network.",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("net.default-route");
          const auto rails = rails_up_or_say(host, policy, findings);
          if (!rails) return findings.done();
          const auto names = device_names(host);
          const auto addresses = node_addresses(host);
          std::map<IpFamily, FibTables> tables_of;  // what is seen points into them
          std::map<IpFamily, std::vector<SeenBy>> others;
          const auto sources = sources_of_others(read_rails_here(host, policy)->rails, addresses);
          for (const IpFamily family : {IpFamily::v4, IpFamily::v6})
            if (const auto read = host.fib(family))
              others[family] = seen_by_others(tables_of[family] = read.value, sources, family);
          for (const auto& rail : *rails) {
            const auto tables = host.fib(rail.family());
            if (!tables) {
              findings.unknown("node", tables.why, "", "RTM_GETROUTE, RTM_GETRULE", "run on the node itself");
              return findings.done();
            }
            judge_carrying(findings, host, rail, others, names);
            if (!rail.site || rail.own().empty()) continue;
            auto destinations = rail.site->destinations;
            destinations.push_back(rail.site->prefix);
            // With source-based routing the main table has no rail routes by design; the source decides.
            const FibFlow flow = flow_from(rail, *host.links());
            for (const auto& destination : destinations)
              judge(findings,
                    {rail.name() + " to " + to_string(destination), destination.network(), rail.link->index,
                     rail.netdev, addresses},
                    fib_ranges(*tables, flow, destination.network()), names);
          }
          return findings.done();
        },
};

}  // namespace mlc::checks
