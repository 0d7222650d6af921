#include <linux/rtnetlink.h>

#include <algorithm>

#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct Lookup {
  std::string what;
  Read<Route> match;  // without a bound device, as a TCP socket would be routed
  std::string device;
  std::string rail_device;
};

void judge(CheckFindings& findings, const Lookup& lookup) {
  const std::string source = "RTM_GETROUTE without oif, FIB_MATCH", expected = "out of " + lookup.rail_device;
  if (!lookup.match) {
    if (lookup.match.missing())
      findings.fail(lookup.what, "no route at all (" + lookup.match.why + ")", expected, source,
                    "see net.rail-routes for the route that is missing");
    else
      findings.unknown(lookup.what, lookup.match.why, expected, source,
                       "run on the node itself, or capture it again under this policy");
    return;
  }
  // A rail's own table (source-based routing) may hold nothing but a default route.
  const bool falls = lookup.match->is_default() && lookup.match->table == RT_TABLE_MAIN;
  const bool right = lookup.device == lookup.rail_device && !falls;
  findings.judge(right ? Status::pass : Status::fail, lookup.what,
                 falls ? "falls to the default route out of " + lookup.device : "leaves by " + lookup.device,
                 expected, source,
                 "add the static route of the rail (net.rail-routes), or bind with its address: rdma_cm and "
                 "TCP sockets without a source take this path");
}

}  // namespace

extern const Check net_default_route{
    .name = "net.default-route",
    .summary = "no rail destination falls to the default route, and no rail carries it",
    .why =
        "Traffic that falls to the default route works, at the speed of the management network, and slows "
        "everybody else on it.",
    .reads = "RTM_GETROUTE (table, and lookups without a device)",
    .fix = "Static routes for the rails' prefixes; the default route belongs to the ordinary network.",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("net.default-route");
          const auto rails = rails_up_or_say(host, policy, findings);
          if (!rails) return findings.done();
          const auto& routes = host.routes();
          if (!routes) {
            findings.unknown("node", routes.why, "", "RTM_GETROUTE", "run on the node itself");
            return findings.done();
          }
          for (const auto& rail : *rails) {
            const bool carries = std::ranges::any_of(*routes, [&](const Route& route) {
              return route.is_default() && route.table == RT_TABLE_MAIN && route.oif == rail.link->index;
            });
            findings.judge(carries ? Status::fail : Status::pass, rail.name(),
                           carries ? "carries the default route" : "does not carry the default route",
                           "the default route on the ordinary network", "RTM_GETROUTE",
                           "remove 'gateway' from the rail's network attachment or netplan entry; give it "
                           "'routes' instead");
            if (!rail.site || rail.addresses.empty()) continue;
            std::vector<Prefix> destinations = rail.site->destinations;
            destinations.push_back(rail.site->prefix);
            for (const auto& destination : destinations) {
              // Not in the rail's own subnet: that is on link, whatever the routes to the others are.
              const auto& own = rail.addresses.front();
              Ipv4 target{destination.address.bits | (~destination.mask() & 2u)};
              if (own.contains(target)) target.bits = destination.address.bits | (~destination.mask() & ~1u);
              // With source-based routing the main table has no rail routes by design; the source decides.
              Lookup lookup{rail.name() + " to " + to_string(destination),
                            host.lookup(target, rail.addresses.front().address, std::nullopt), "?",
                            rail.netdev};
              if (lookup.match && lookup.match->oif)
                for (const auto& link : *host.links())
                  if (link.index == *lookup.match->oif) lookup.device = link.name;
              judge(findings, lookup);
            }
          }
          return findings.done();
        },
};

}  // namespace mlc::checks
