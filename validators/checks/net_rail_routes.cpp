// The check this project exists for. A plain route lookup bound to a rail succeeds when the route is missing:
// the kernel then assumes that the destination is on link (net/ipv4/route.c). RDMA does just that lookup,
// asks ARP for a remote address on the rail and dies with ETIMEDOUT. So the tables themselves are judged, for
// every address of every destination, and RTM_F_FIB_MATCH, which makes the kernel name the FIB entry or fail,
// is asked where an answer begins and ends.
#include <algorithm>

#include "validators/checks/check.hpp"
#include "validators/checks/rail_routing.hpp"
#include "validators/checks/route_coverage.hpp"

namespace mlc::checks {

namespace {

constexpr std::size_t shown_ranges = 3;  // of one finding; the others are counted

std::string expected_of(const RouteDemand& demand) {
  return "a unicast route out of " + demand.device +
         (demand.gateway   ? " via " + to_string(*demand.gateway)
          : demand.on_link ? ", on link"
                           : "") +
         " for every address";
}

// What a rail must reach: its own subnets on link, all else through its gateway.
std::vector<RouteDemand> demands_of(const Rail& rail, const NodeExpectation* node,
                                    const std::vector<IpPrefix>& node_addresses) {
  const int whole = width(rail.family());
  RouteDemand plain;
  plain.oif = rail.link->index;
  plain.device = rail.netdev;
  plain.own = rail.own();
  plain.source = plain.own.front().address;
  plain.node = node_addresses;
  plain.mtu = node ? static_cast<unsigned>(node->netdev_mtu.value_or(0)) : 0;
  plain.device_mtu = rail.link->mtu;

  std::vector<RouteDemand> demands;
  std::vector<IpPrefix> subnets;
  const auto add = [&](const IpPrefix& within, const char* what) {
    RouteDemand demand = plain;
    demand.within = within.network();
    demand.subject = rail.name() + " to " + to_string(demand.within) + " (" + what + ")";
    demand.on_link =
        std::ranges::any_of(subnets, [&](const IpPrefix& own) { return own.contains(demand.within); });
    if (!demand.on_link) demand.except = subnets, demand.gateway = rail.gateway;
    demands.push_back(std::move(demand));
  };
  for (const auto& address : plain.own)
    if (address.length < whole) {
      subnets.push_back(address.network());
      add(address, "own prefix");
    }
  if (rail.site) {
    // The site's prefix may be wider than this node's own subnet: then the rest of it is behind the gateway.
    if (plain.own.front().length > rail.site->prefix.length) add(rail.site->prefix, "rail");
    for (const auto& destination : rail.site->destinations)
      add(destination, "destination");
  }
  if (node)
    for (const auto& peer : node->peers)
      if (const auto there = rail.meets(peer)) add(Prefix{*there, 32}, "peer");
  return demands;
}

bool knows_destinations(const Rail& rail, const NodeExpectation* node) {
  return (rail.site && !rail.site->destinations.empty()) ||
         (node &&
          std::ranges::any_of(node->peers, [&](const auto& peer) { return rail.meets(peer).has_value(); }));
}

std::string joined(const std::vector<std::string>& parts, const char* what) {
  std::string text;
  for (std::size_t i = 0; i < parts.size() && i < shown_ranges; ++i)
    text += (i > 0 ? "; " : "") + parts[i];
  if (parts.size() > shown_ranges)
    text += "; and " + std::to_string(parts.size() - shown_ranges) + " more " + what;
  return text;
}

std::string source_of(const RouteDemand& demand, const CrossCheck& check) {
  std::string text = "RTM_GETROUTE and RTM_GETRULE, every address, from " + to_string(demand.source) +
                     " oif " + demand.device;
  if (check.agreed > 0) text += "; FIB_MATCH agrees at " + std::to_string(check.agreed);
  if (!check.not_asked.empty()) text += "; FIB_MATCH " + check.not_asked;
  return text;
}

void report(CheckFindings& findings, const RouteDemand& demand, const std::vector<JudgedRange>& judged,
            const CrossCheck& check) {
  const std::string source = source_of(demand, check), expected = expected_of(demand);
  Status status = judged.empty() ? Status::unknown : Status::pass;
  for (const auto& one : judged)
    status = worst(status, one.status);
  std::vector<std::string> said;
  std::string remedy;
  for (const auto& one : judged) {
    if (one.status != status) continue;
    if (remedy.empty()) remedy = one.remedy;
    const std::string text = status == Status::pass ? one.said : to_string(one.range) + " " + one.said;
    if (std::ranges::find(said, text) == said.end()) said.push_back(text);
  }
  if (judged.empty())
    said.push_back("nothing but this node's own addresses"), remedy = "name other nodes' addresses";
  std::string observed = joined(said, status == Status::pass ? "routes" : "ranges");
  if (!check.disagreements.empty()) {
    const std::string disagreed =
        "the tables and the kernel disagree: " + joined(check.disagreements, "addresses");
    if (status == Status::fail)
      observed += "; " + disagreed;
    else
      observed = disagreed, status = check.refused ? Status::fail : Status::unknown,
      remedy =
          "run again: routes may have changed meanwhile; if it stays, report it with what 'mlc-bench capture "
          "DIR' leaves";
  } else if (!check.failed.empty() && status != Status::fail) {
    observed = "the lookups beside the tables failed: " + check.failed, status = Status::unknown,
    remedy = "run on the node itself, or capture it again under this policy";
  }
  findings.judge(status, demand.subject, observed, expected, source, remedy);
}

// Without the tables a lookup can still prove that something is wrong, of one address; never that all is
// well.
void report_without_tables(CheckFindings& findings, const Host& host, const RouteDemand& demand,
                           const std::string& why) {
  for (const IpAddress& address :
       {demand.within.first(), IpAddress{demand.within.family(), demand.within.first().bits + 1},
        demand.within.last()}) {
    const bool elsewhere =
        std::ranges::any_of(demand.except, [&](const IpPrefix& own) { return own.contains(address); });
    if (!demand.within.contains(address) || elsewhere) continue;
    const auto match = host.lookup(address, demand.source, demand.oif);
    if (!match.missing()) continue;
    findings.fail(demand.subject, to_string(address) + " no route matches (" + match.why + ")",
                  expected_of(demand),
                  "RTM_GETROUTE dst " + to_string(address) + " src " + to_string(demand.source) + " oif " +
                      demand.device + " FIB_MATCH",
                  "ip route get fibmatch " + to_string(address) + " from " + to_string(demand.source) +
                      " oif " + demand.device + "; add the route, or remove the one that refuses");
    return;
  }
  findings.unknown(demand.subject, why, expected_of(demand), "RTM_GETROUTE, RTM_GETRULE",
                   "run on the node itself, or capture it again with: mlc-bench capture DIR");
}

void judge_rail(CheckFindings& findings, const Host& host, const Rail& rail, const NodeExpectation* node,
                const DeviceNames& names) {
  if (rail.own().empty()) {
    findings.fail(rail.name(), rail.netdev + " has no " + to_string(rail.family()) + " address to send from",
                  "an address", "RTM_GETADDR, /proc/net/if_inet6",
                  "give the rail its address: CNI and IPAM in a Pod, netplan on the host");
    return;
  }
  const FibFlow flow = flow_bound_to(rail, *host.links());
  const auto tables = host.fib(rail.family());
  for (const auto& demand : demands_of(rail, node, node_addresses(host))) {
    if (!tables) {
      report_without_tables(findings, host, demand, tables.why);
      continue;
    }
    const auto ranges = fib_ranges(*tables, flow, demand.within);
    std::vector<KernelAnswer> answers;
    for (const auto& address : boundaries(demand, ranges))
      answers.push_back({address, host.lookup(address, demand.source, demand.oif)});
    report(findings, demand, judge_ranges(demand, *tables, ranges, names),
           cross_check(ranges, answers, names));
  }
}

}  // namespace

extern const Check net_rail_routes{
    .name = "net.rail-routes",
    .summary =
        "looked up as RDMA does, from each rail's address and bound to the rail, every address of its own "
        "prefix and of every destination has a route",
    .why =
        "Without the route RDMA connections time out (ibv_modify_qp, errno 110), or TCP silently takes the "
        "management network at a hundredth of the speed.",
    .reads =
        "RTM_GETROUTE and RTM_GETRULE (all tables and rules), and at the ends of each range RTM_GETROUTE "
        "with "
        "RTA_SRC, RTA_OIF and RTM_F_FIB_MATCH (Linux 4.13)",
    .fix =
        "ip route add PREFIX via GATEWAY dev RAIL src ADDRESS, in netplan on the host, in the CNI's 'routes' "
        "or sbr in a Pod. The destinations are the policy's: node.rails.addresses, each with prefix, gateway "
        "and "
        "destinations; without them the answer is unknown.",
    .keys = "rails.addresses",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("net.rail-routes");
          const auto rails = rails_up_or_say(host, policy, findings);
          if (!rails) return findings.done();
          const auto* node = expectation(policy);
          const auto names = device_names(host);
          std::string unknown_to;
          for (const auto& rail : *rails) {
            judge_rail(findings, host, rail, node, names);
            if (!knows_destinations(rail, node)) unknown_to += (unknown_to.empty() ? "" : ", ") + rail.name();
          }
          if (!unknown_to.empty())
            findings.unknown(
                "destinations", "none is known for " + unknown_to + ": only own prefixes were judged",
                "a prefix to reach, for each rail", "policy",
                "list them under node.rails.addresses of a copy of the policy: {prefix: 10.10.0.0/16, "
                "gateway: 10.10.0.1, destinations: [10.20.0.0/16]}; or name a peer: --peer A,B,C,D");
          return findings.done();
        },
};

}  // namespace mlc::checks
