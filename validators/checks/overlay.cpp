// The ordinary network beside the rails: where the default route goes, and whether VXLAN fits into the
// underlay.
#include <linux/rtnetlink.h>

#include <algorithm>

#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct DefaultRoute {
  std::string device;
  std::optional<IpAddress> gateway;
  unsigned mtu = 0;        // of the device
  unsigned route_mtu = 0;  // of the route; 0: the device's
  unsigned priority = 0;
};

Read<std::vector<DefaultRoute>> default_routes(const Host& host) {
  using Routes = std::vector<DefaultRoute>;
  const auto& routes = host.routes();
  const auto& links = host.links();
  if (!routes) return Read<Routes>::unreadable(routes.why);
  if (!links) return Read<Routes>::unreadable(links.why);
  Routes found;
  for (const auto& route : *routes) {
    if (!route.is_default() || route.table != RT_TABLE_MAIN || route.type != RTN_UNICAST) continue;
    for (const auto& link : *links)
      if (link.index == route.oif.value_or(route.hops.empty() ? 0 : route.hops.front().oif))
        found.push_back({link.name, route.gateway, link.mtu, route.mtu, route.priority});
  }
  std::ranges::stable_sort(found, {}, &DefaultRoute::priority);
  return Read<Routes>::of(std::move(found));
}

std::vector<Finding> judge_default(const Read<std::vector<DefaultRoute>>& routes, const std::string& wanted) {
  CheckFindings findings("overlay.default-route");
  const std::string source = "RTM_GETROUTE, table main",
                    expected = wanted.empty() ? "one default route" : "out of " + wanted;
  if (!routes)
    findings.unknown("node", routes.why, expected, source, "run on the node itself");
  else if (routes->empty() && wanted.empty())
    findings.skip("node", "no default route: this machine is not on a network", source);
  else if (routes->empty())
    findings.fail("node", "no default route", expected, source,
                  "ip route add default via GATEWAY dev " + wanted + ", in netplan");
  else if (!wanted.empty() && routes->front().device != wanted)
    findings.fail("node", "out of " + routes->front().device, expected, source,
                  "the default route belongs to " + wanted +
                      ": remove 'gateway' from the other attachment or netplan entry");
  else if (routes->size() > 1 && (*routes)[0].priority == (*routes)[1].priority &&
           (*routes)[0].device != (*routes)[1].device)
    findings.warn(
        "node",
        "two default routes of one metric, out of " + (*routes)[0].device + " and " + (*routes)[1].device,
        expected, source, "give one of them a higher metric, or remove it");
  else
    findings.pass("node",
                  "out of " + routes->front().device +
                      (routes->front().gateway ? " via " + to_string(*routes->front().gateway) : ""),
                  expected, source);
  return findings.done();
}

struct Overlay {
  std::string subject;
  unsigned mtu = 0;      // what a packet may have: the device's MTU or a route's, whichever is less
  std::string underlay;  // a device, or "the policy"
  unsigned underlay_mtu = 0;
};

std::vector<Finding> judge_mtu(const Overlay& overlay, int overhead) {
  CheckFindings findings("overlay.mtu");
  const int room = static_cast<int>(overlay.underlay_mtu) - overhead;
  const std::string source = "RTM_GETLINK, RTM_GETROUTE (RTAX_MTU)",
                    expected = "at most " + std::to_string(room);
  // An MTU of 0 is an answer without the attribute.
  if (overlay.mtu == 0 || overlay.underlay_mtu == 0)
    findings.unknown(overlay.subject, "the kernel did not report an MTU", "", source,
                     "ip link show; ip route show");
  else
    findings.judge(static_cast<int>(overlay.mtu) <= room ? Status::pass : Status::fail, overlay.subject,
                   "MTU " + std::to_string(overlay.mtu) + " over " + overlay.underlay + " with " +
                       std::to_string(overlay.underlay_mtu),
                   expected, source,
                   "set MTU in the Cilium configuration so that routes get " + std::to_string(room) +
                       ", or raise the underlay; jumbo frames on the rails do not help here");
  return findings.done();
}

}  // namespace

extern const Check overlay_default_route{
    .name = "overlay.default-route",
    .summary = "the default route leaves by the ordinary network's device",
    .why =
        "A default route over a rail, or two of them, sends image pulls and checkpoints over the "
        "interconnect, or training over the ordinary network.",
    .reads = "RTM_GETROUTE",
    .fix = "One default route, on the ordinary network; 'routes' instead of 'gateway' for rails.",
    .keys = "overlay.default_device",
    .run =
        [](const Host& host, const Policy& policy) {
          const auto* node = expectation(policy);
          return judge_default(default_routes(host), node ? node->default_device : "");
        },
};

extern const Check overlay_mtu{
    .name = "overlay.mtu",
    .summary = "the VXLAN overlay fits into its underlay",
    .why =
        "An overlay MTU that forgets the 50 bytes of VXLAN drops or fragments every full packet: rendezvous "
        "and storage crawl while pings are fine.",
    .reads =
        "RTM_GETLINK of the VXLAN device and of the default route's, RTM_GETROUTE for Cilium's route MTU; in "
        "a Pod its own default route",
    .fix = "Cilium's MTU: underlay minus 50.",
    .keys = "overlay.vxlan_device overlay.underlay_mtu overlay.overhead",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("overlay.mtu");
          const auto* node = expectation(policy);
          const std::string wanted = node ? node->vxlan_device : "";
          const int overhead = node ? node->vxlan_overhead : NodeExpectation{}.vxlan_overhead;
          const std::string source = "RTM_GETLINK, RTM_GETROUTE";
          const auto& links = host.links();
          const auto routes = default_routes(host);
          if (!links || !routes) {
            findings.unknown("node", !links ? links.why : routes.why, "", source, "run on the node itself");
            return findings.done();
          }
          const auto least = [](unsigned device, unsigned route) {
            return route > 0 ? std::min(device, route) : device;
          };
          const bool vxlan_here =
              std::ranges::any_of(*links, [](const Link& link) { return link.kind == "vxlan"; });
          if (host.in_pod() && !vxlan_here) {
            // The underlay is in the host's namespace; only the policy can say how large it is.
            if (!node || !node->underlay_mtu)
              findings.skip("Pod", "the policy does not say the underlay's MTU", "policy");
            else if (routes->empty())
              findings.unknown("Pod", "no default route", "", source, "see overlay.default-route");
            else
              return judge_mtu({routes->front().device, least(routes->front().mtu, routes->front().route_mtu),
                                "the underlay", static_cast<unsigned>(*node->underlay_mtu)},
                               overhead);
            return findings.done();
          }
          const Link* vxlan = nullptr;
          for (const auto& link : *links)
            if (wanted.empty() ? link.kind == "vxlan" : link.name == wanted) vxlan = &link;
          if (!vxlan) {
            if (wanted.empty())
              findings.skip("node", "no VXLAN device here", source);
            else
              findings.fail(wanted, "not there", "the overlay's device", source,
                            "Cilium is not running on this node: kubectl -n kube-system get pods -o wide | "
                            "grep cilium");
            return findings.done();
          }
          if (routes->empty()) {
            findings.unknown(vxlan->name, "no default route, so the underlay is not known", "", source,
                             "see overlay.default-route");
            return findings.done();
          }
          // Cilium leaves its devices at the underlay's MTU and puts the smaller one on its routes (dev
          // cilium_host).
          unsigned mtu = vxlan->mtu;
          for (const auto& route : *host.routes())
            for (const auto& link : *links)
              if (route.oif == link.index && route.mtu > 0 &&
                  (link.name.starts_with("cilium") || link.index == vxlan->index))
                mtu = std::min(mtu, route.mtu);
          return judge_mtu({vxlan->name, mtu, routes->front().device, routes->front().mtu}, overhead);
        },
};

}  // namespace mlc::checks
