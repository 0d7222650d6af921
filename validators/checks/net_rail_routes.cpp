// The check this project exists for. A plain route lookup bound to a rail succeeds when the route is missing:
// the kernel then assumes that the destination is on link (net/ipv4/route.c). RDMA does just that lookup,
// asks ARP for a remote address on the rail and dies with ETIMEDOUT. RTM_F_FIB_MATCH makes the kernel name
// the FIB entry or fail.
#include <linux/rtnetlink.h>

#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct Lookup {
  std::string rail, netdev, what;  // what: "10.11.0.0/16 (peer)"
  Ipv4 destination;
  std::optional<Ipv4> source;
  int ifindex = 0;
  std::optional<Ipv4> gateway;  // that the route must go through
  bool on_link = false;         // must be reached without a gateway
  int mtu_wanted = 0;
  std::string device_of_match;  // name of the device that matched
  Read<Route> match;
};

void judge(CheckFindings& findings, const Lookup& lookup) {
  const std::string subject = lookup.rail + " to " + lookup.what;
  const std::string source = "RTM_GETROUTE dst " + to_string(lookup.destination) +
                             (lookup.source ? " src " + to_string(*lookup.source) : "") + " oif " +
                             lookup.netdev + " FIB_MATCH";
  const std::string expected = "a unicast route out of " + lookup.netdev +
                               (lookup.gateway   ? " via " + to_string(*lookup.gateway)
                                : lookup.on_link ? ", on link"
                                                 : "");
  const std::string via = lookup.gateway   ? " via " + to_string(*lookup.gateway)
                          : lookup.on_link ? ""
                                           : " via GATEWAY";
  const std::string remedy = "ip route add " + lookup.what.substr(0, lookup.what.find(' ')) + via + " dev " +
                             lookup.netdev + (lookup.source ? " src " + to_string(*lookup.source) : "") +
                             " (or 'routes' in the CNI's IPAM, or sbr); a 'blackhole' or 'unreachable' route "
                             "that covers it must go: ip route show " +
                             to_string(lookup.destination);
  if (!lookup.source) {
    findings.fail(subject, lookup.netdev + " has no IPv4 address to send from", expected, "RTM_GETADDR",
                  "give the rail its address: CNI and IPAM in a Pod, netplan on the host");
    return;
  }
  if (!lookup.match) {
    if (lookup.match.missing())
      findings.fail(subject, "no route matches (" + lookup.match.why + ")", expected, source, remedy);
    else
      findings.unknown(subject, lookup.match.why, expected, source,
                       "run on the node itself, or capture it again under this policy");
    return;
  }
  const Route& route = *lookup.match;
  const std::string shown = (route.is_default() ? std::string("default") : to_string(route.destination)) +
                            (route.gateway ? " via " + to_string(*route.gateway) : "") + " dev " +
                            (lookup.device_of_match.empty() ? "?" : lookup.device_of_match);
  if (route.type != RTN_UNICAST) {
    findings.fail(subject,
                  "matches a route of type " + std::to_string(route.type) +
                      " (blackhole, unreachable or local), " + shown,
                  expected, source, remedy);
  } else if (route.oif != lookup.ifindex && route.hops.empty()) {
    findings.fail(subject, "leaves by the wrong device: " + shown, expected, source, remedy);
  } else if (!route.hops.empty()) {
    findings.fail(subject, "matches a multipath route over " + std::to_string(route.hops.size()) + " devices",
                  expected, source, "give each rail its own route: a queue pair is bound to one rail");
  } else if (route.is_default()) {
    findings.fail(subject, "only the default route matches: " + shown, expected, source, remedy);
  } else if (lookup.gateway && route.gateway != lookup.gateway) {
    findings.fail(subject,
                  "goes " + (route.gateway ? "via " + to_string(*route.gateway) : std::string("on link")) +
                      ": " + shown,
                  expected, source, remedy);
  } else if (lookup.on_link && route.gateway) {
    findings.fail(subject, "goes via " + to_string(*route.gateway) + " though the address is on this rail",
                  expected, source,
                  "remove the route that is more specific than the rail's own prefix: ip route show " +
                      to_string(lookup.destination));
  } else if (route.mtu > 0 && static_cast<int>(route.mtu) < lookup.mtu_wanted) {
    findings.fail(subject, "the route's MTU is " + std::to_string(route.mtu) + ": " + shown,
                  std::to_string(lookup.mtu_wanted) + " or more", source,
                  "remove 'mtu " + std::to_string(route.mtu) + "' from the route");
  } else {
    findings.pass(subject, shown, expected, source);
  }
}

// An address inside the prefix that is not our own.
Ipv4 somebody(const Prefix& prefix, std::optional<Ipv4> own) {
  const Ipv4 first{prefix.network().address.bits + (prefix.length < 31 ? 1 : 0)};
  return own && *own == first && prefix.length < 32 ? Ipv4{first.bits + 1} : first;
}

}  // namespace

extern const Check net_rail_routes{
    .name = "net.rail-routes",
    .summary = "from each rail's address, its own prefix and every destination have a route out of that rail",
    .why =
        "Without the route RDMA connections time out (ibv_modify_qp, errno 110), or TCP silently takes the "
        "management network at a hundredth of the speed.",
    .reads = "RTM_GETROUTE with RTA_SRC, RTA_OIF and RTM_F_FIB_MATCH (Linux 4.13)",
    .fix =
        "ip route add PREFIX via GATEWAY dev RAIL src ADDRESS, in netplan on the host, in the CNI's 'routes' "
        "or sbr in a Pod.",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("net.rail-routes");
          const auto rails = rails_up_or_say(host, policy, findings);
          if (!rails) return findings.done();
          const auto* node = expectation(policy);
          const int mtu = node ? node->netdev_mtu.value_or(0) : 0;
          for (const auto& rail : *rails) {
            const std::optional<Ipv4> source =
                rail.addresses.empty() ? std::nullopt : std::optional(rail.addresses.front().address);
            std::vector<Lookup> lookups;
            const auto add = [&](std::string what, Ipv4 destination, std::optional<Ipv4> gateway,
                                 bool on_link) {
              lookups.push_back({rail.name(),
                                 rail.netdev,
                                 std::move(what),
                                 destination,
                                 source,
                                 rail.link->index,
                                 gateway,
                                 on_link,
                                 mtu,
                                 {},
                                 {}});
            };
            for (const auto& address : rail.addresses)
              if (address.length < 32)
                add(to_string(address.network()) + " (own prefix)", somebody(address, source), {}, true);
            if (rail.site) {
              // The site's prefix may be wider than this node's own subnet: then the rest of it is behind the
              // gateway.
              const bool wider =
                  !rail.addresses.empty() && rail.addresses.front().length > rail.site->prefix.length;
              if (wider) {
                Ipv4 far{rail.site->prefix.address.bits | (~rail.site->prefix.mask() & ~1u)};
                if (rail.addresses.front().contains(far)) far = somebody(rail.site->prefix, source);
                add(to_string(rail.site->prefix) + " (rail)", far, rail.gateway, false);
              }
              for (const auto& destination : rail.site->destinations)
                add(to_string(destination) + " (destination)", somebody(destination, source), rail.gateway,
                    false);
            }
            if (node)
              for (const auto& peer : node->peers)
                if (static_cast<std::size_t>(rail.index) < peer.size()) {
                  const Ipv4 target = peer[static_cast<std::size_t>(rail.index)];
                  bool here = false;
                  for (const auto& address : rail.addresses)
                    here = here || address.contains(target);
                  add(to_string(target) + " (peer)", target, here ? std::optional<Ipv4>() : rail.gateway,
                      here);
                }
            if (lookups.empty()) add("any peer", Ipv4{}, {}, false);
            for (auto& lookup : lookups) {
              if (lookup.source)
                lookup.match = host.lookup(lookup.destination, lookup.source, lookup.ifindex);
              if (lookup.match && lookup.match->oif)
                for (const auto& link : *host.links())
                  if (link.index == *lookup.match->oif) lookup.device_of_match = link.name;
              judge(findings, lookup);
            }
          }
          return findings.done();
        },
};

}  // namespace mlc::checks
