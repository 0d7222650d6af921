// Cases of addresses, routes and the overlay.
#include <linux/fib_rules.h>

#include <cerrno>

#include "tests/validators/check_cases.hpp"
#include "tests/validators/odd_nodes.hpp"

namespace mlc::test {

namespace {

Prefix prefix(const char* text) { return *parse_prefix(text); }

}  // namespace

namespace {

void name_peers(Policy& policy) {
  policy.node->peers = {{*parse_ipv4("10.10.0.22"), *parse_ipv4("10.11.0.22"), *parse_ipv4("10.12.0.22"),
                         *parse_ipv4("10.13.0.22")}};
}

}  // namespace

void reach_peers(BuiltNode& node, Policy& policy, const std::function<bool(int, int)>& reached) {
  name_peers(policy);
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j)
      node.answer("icmp",
                  node.netdev(i) + " 10." + std::to_string(10 + i) + ".0.21 10." + std::to_string(10 + j) +
                      ".0.22 84",
                  {{"replied", reached(i, j)}, {"local_error", ""}});
}

void net_cases(Cases& add) {
  const auto drop_route = [](BuiltNode& node, const char* destination) {
    std::erase_if(node.routes,
                  [&](const BuiltRoute& route) { return route.destination == prefix(destination); });
  };
  add("net.rail-routes", "route missing", Status::fail, "no route matches",
      [=](BuiltNode& node, Policy&) { drop_route(node, "20.0.0.0/8"), drop_route(node, "10.21.0.0/16"); });
  add("net.rail-routes", "blackholed", Status::fail,
      "10.21.0.0-10.21.0.255 blackhole: blackhole 10.21.0.0/24", [](BuiltNode& node, Policy&) {
        node.routes.push_back({prefix("10.21.0.0/24"), 0, {}, 254, 6});
      });
  add("net.rail-routes", "blackholed, but for the first address", Status::fail,
      "10.21.0.2-10.21.255.255 blackhole", [](BuiltNode& node, Policy&) {
        std::erase_if(node.routes,
                      [](const BuiltRoute& route) { return route.destination == prefix("10.21.0.0/16"); });
        node.routes.push_back({prefix("10.21.0.0/16"), 0, {}, 254, 6});
        node.routes.push_back({prefix("10.21.0.1/32"), 4, parse_ipv4("10.11.0.1")});
      });
  add("net.rail-routes", "a rule refuses", Status::fail,
      "refused by rule '10: from all to 10.21.7.0/24 prohibit'", [](BuiltNode& node, Policy&) {
        node.rules.push_back({.priority = 10, .to = prefix("10.21.7.0/24"), .action = FR_ACT_PROHIBIT});
      });
  add("net.rail-routes", "no destination known", Status::unknown, "none is known for rail 0",
      [](BuiltNode&, Policy& policy) { policy.node->sites.clear(); });
  add("net.rail-routes", "the kernel disagrees", Status::fail,
      "the tables and the kernel disagree: 10.21.255.255", [](BuiltNode& node, Policy&) {
        node.error("netlink",
                   route_lookup_request(*parse_ipv4("10.21.255.255"), parse_ipv4("10.11.0.21"), 4).key(),
                   EHOSTUNREACH, "No route to host");
      });
  add("net.rail-routes", "tables not captured", Status::unknown, "rules: was not captured",
      [](BuiltNode& node, Policy&) {
        node.error("netlink", rules_request().key(), ENODATA, "was not captured");
      });
  add("net.rail-routes", "tables not captured, and a lookup that decides", Status::fail,
      "10.21.255.255 no route matches", [](BuiltNode& node, Policy&) {
        node.error("netlink", rules_request().key(), ENODATA, "was not captured");
        node.error("netlink",
                   route_lookup_request(*parse_ipv4("10.21.255.255"), parse_ipv4("10.11.0.21"), 4).key(),
                   EHOSTUNREACH, "No route to host");
      });
  add("net.rail-routes", "lookups not captured", Status::pass, "10.21.0.0/16 via 10.11.0.1",
      [](BuiltNode& node, Policy&) {
        for (const char* address : {"10.21.0.0", "10.21.255.255"})
          node.error("netlink", route_lookup_request(*parse_ipv4(address), parse_ipv4("10.11.0.21"), 4).key(),
                     ENODATA, "was not captured");
      });
  add("net.rail-routes", "a route that is not understood", Status::unknown, "was not understood",
      [](BuiltNode& node, Policy&) {
        node.answer("netlink", routes_request().key(), {{RTM_NEWROUTE, "0220000000000000"}});
      });
  add("net.rail-routes", "wrong gateway", Status::fail, "via 10.11.0.254", [](BuiltNode& node, Policy&) {
    for (auto& route : node.routes)
      if (route.destination == prefix("10.21.0.0/16")) route.gateway = parse_ipv4("10.11.0.254");
  });
  add("net.rail-routes", "only a default route on the rail", Status::fail, "only the default route",
      [=](BuiltNode& node, Policy&) {
        drop_route(node, "10.21.0.0/16");
        node.routes.push_back({std::nullopt, 4, parse_ipv4("10.11.0.1")});
      });
  add("net.rail-routes", "route MTU too small", Status::fail, "MTU is 1500", [](BuiltNode& node, Policy&) {
    for (auto& route : node.routes)
      if (route.destination == prefix("10.21.0.0/16")) route.mtu = 1500;
  });
  add("net.rail-routes", "no address", Status::fail, "no IPv4 address",
      [](BuiltNode& node, Policy&) { node.rail_link(1).addresses.clear(); });
  add("net.rail-routes", "no permission", Status::unknown, "Operation not permitted",
      [](BuiltNode& node, Policy&) {
        node.error("netlink",
                   route_lookup_request(*parse_ipv4("10.21.0.0"), parse_ipv4("10.11.0.21"), 4).key(), EPERM,
                   "netlink: Operation not permitted");
      });

  add("net.rules", "shadowed", Status::fail, "answers before", [](BuiltNode& node, Policy&) {
    node.rules.push_back({50, 200, {}, {}});
    node.routes.push_back({std::nullopt, 2, parse_ipv4("192.168.10.1"), 200});
  });
  add("net.rules", "own rule after a catch-all", Status::fail, "comes after", [](BuiltNode& node, Policy&) {
    node.rules.push_back({50, 200, {}, {}});
    node.routes.push_back({std::nullopt, 2, parse_ipv4("192.168.10.1"), 200});
    node.rules.push_back({100, 101, prefix("10.10.0.21/32"), {}});
    node.routes.push_back({std::nullopt, 3, parse_ipv4("10.10.0.1"), 101});
  });
  // The lookup goes on to the main table, which carries the rail.
  add("net.rules", "table of the rule is empty", Status::warn, "has no route", [](BuiltNode& node, Policy&) {
    node.rules.push_back({100, 101, prefix("10.10.0.21/32"), {}});
  });
  add("net.rules", "no route out of the rail anywhere", Status::fail, "has no route",
      [](BuiltNode& node, Policy&) {
        node.rules.push_back({100, 101, prefix("10.10.0.21/32"), {}});
        std::erase_if(node.routes, [](const BuiltRoute& route) { return route.oif == 3; });
      });
  add("net.rules", "a rule takes a part of the rail's destination", Status::fail,
      "sends 10.20.7.0-10.20.7.255", [](BuiltNode& node, Policy&) {
        node.rules.push_back({50, 200, {}, {}, prefix("10.20.7.0/24")});
        node.routes.push_back({std::nullopt, 2, parse_ipv4("192.168.10.1"), 200});
      });
  add("net.rules", "a rule refuses", Status::fail, "to nowhere", [](BuiltNode& node, Policy&) {
    node.rules.push_back({.priority = 50, .to = prefix("10.20.7.0/24"), .action = FR_ACT_UNREACHABLE});
  });
  add("net.rules", "Pods' addresses have a rule before the rail's own", Status::pass, "",
      [](BuiltNode& node, Policy&) {
        node.rules.push_back({50, 254, {}, {}, prefix("10.244.0.0/16")});
        node.rules.push_back({100, 101, prefix("10.10.0.21/32"), {}});
        node.routes.push_back({std::nullopt, 3, parse_ipv4("10.10.0.1"), 101});
      });
  add("net.rules", "Cilium's marked rule does not shadow", Status::pass, "", [](BuiltNode& node, Policy&) {
    node.rules.push_back({9, 200, {}, 0x200});
    node.routes.push_back({std::nullopt, 2, parse_ipv4("192.168.10.1"), 200});
  });
  add("net.rules", "a VPN's rule for all that is not marked", Status::fail, "answers before",
      [](BuiltNode& node, Policy&) {
        node.rules.push_back({.priority = 9, .table = 51820, .mark = 0xca6c, .inverted = true});
        node.routes.push_back({std::nullopt, 2, parse_ipv4("192.168.10.1"), 51820});
      });
  add("net.rules", "own rule first", Status::pass, "", [](BuiltNode& node, Policy&) {
    node.rules.push_back({100, 101, prefix("10.10.0.21/32"), {}});
    node.routes.push_back({std::nullopt, 3, parse_ipv4("10.10.0.1"), 101});
  });
  add("net.rules", "no rules listed", Status::unknown, "no rule",
      [](BuiltNode& node, Policy&) { node.rules.clear(); });

  add("net.sysctls", "strict filtering", Status::warn, "effectively 1",
      [](BuiltNode& node, Policy&) { node.file("/proc/sys/net/ipv4/conf/all/rp_filter", "1\n"); });
  add("net.sysctls", "rails in one subnet", Status::fail, "any rail answers ARP",
      [](BuiltNode& node, Policy&) { node.rail_link(1).addresses = {prefix("10.10.0.22/24")}; });
  add("net.sysctls", "no-op under all", Status::warn, "without effect",
      [](BuiltNode& node, Policy&) { node.file("/proc/sys/net/ipv4/conf/all/rp_filter", "1\n"); });
  add("net.sysctls", "loose under all", Status::pass, "", [](BuiltNode& node, Policy&) {
    node.file("/proc/sys/net/ipv4/conf/all/rp_filter", "1\n");
    for (int i = 0; i < 4; ++i)
      node.file("/proc/sys/net/ipv4/conf/" + node.netdev(i) + "/rp_filter", "2\n");
  });
  add("net.sysctls", "unreadable", Status::unknown, "binary", [](BuiltNode& node, Policy&) {
    node.file("/proc/sys/net/ipv4/conf/all/rp_filter", std::string("\x01\x02\n"));
  });

  add("net.rail-prefixes", "two rails overlap", Status::fail, "overlaps",
      [](BuiltNode& node, Policy& policy) {
        policy.node->sites.clear();
        node.rail_link(1).addresses = {prefix("10.10.0.22/24")};
      });
  add("net.rail-prefixes", "overlaps the ordinary network", Status::fail, "of eno1",
      [](BuiltNode& node, Policy&) { node.links[1].addresses = {prefix("10.10.0.7/24")}; });
  add("net.rail-prefixes", "cabled as another rail", Status::fail, "has an address of another network",
      [](BuiltNode& node, Policy&) { node.rail_link(1).addresses = {prefix("10.99.0.21/24")}; });
  add("net.rail-prefixes", "interfaces cannot be listed", Status::unknown, "interfaces",
      [](BuiltNode& node, Policy&) { node.links_error = EPERM; });

  add("net.default-route", "falls to default", Status::fail, "default route out of eno1",
      [=](BuiltNode& node, Policy&) { drop_route(node, "10.21.0.0/16"); });
  add("net.default-route", "another rail takes it", Status::fail, "leaves by " + BuiltNode().netdev(0),
      [=](BuiltNode& node, Policy&) {
        drop_route(node, "10.21.0.0/16");
        node.routes.push_back({prefix("10.21.0.0/16"), node.rail_link(0).index, parse_ipv4("10.10.0.1")});
      });
  add("net.default-route", "rail carries it", Status::fail, "carries the default route",
      [](BuiltNode& node, Policy&) {
        node.routes.push_back({std::nullopt, 3, parse_ipv4("10.10.0.1")});
      });
  add("net.default-route", "rail carries half of it", Status::fail, "carries the default route: 128.0.0.0/1",
      [=](BuiltNode& node, Policy&) {
        node.routes.push_back({prefix("128.0.0.0/1"), 3, parse_ipv4("10.10.0.1")});
      });
  add("net.default-route", "rail carries quarters of it", Status::fail, "0.0.0.0/2",
      [=](BuiltNode& node, Policy&) {
        for (const char* quarter : {"0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/2", "192.0.0.0/2"})
          node.routes.push_back({prefix(quarter), 3, parse_ipv4("10.10.0.1")});
      });
  add("net.default-route", "a rule leads all to it", Status::fail, "for what has no source yet",
      [=](BuiltNode& node, Policy&) {
        node.rules.push_back({.priority = 100, .table = 100});
        node.routes.push_back(
            {.destination = prefix("0.0.0.0/0"), .oif = 3, .gateway = parse_ipv4("10.10.0.1"), .table = 100});
      });
  add("net.default-route", "a rule leads another address to it", Status::fail, "for what 192.168.10.21 sends",
      [=](BuiltNode& node, Policy&) {
        node.rules.push_back({.priority = 100, .table = 100, .from = prefix("192.168.10.21/32")});
        node.routes.push_back(
            {.destination = prefix("0.0.0.0/0"), .oif = 3, .gateway = parse_ipv4("10.10.0.1"), .table = 100});
      });
  add("net.default-route", "a rule leads the rail's own to it", Status::pass, "does not carry",
      [=](BuiltNode& node, Policy&) {
        node.rules.push_back({.priority = 100, .table = 100, .from = prefix("10.10.0.21/32")});
        for (const char* all : {"10.10.0.0/16", "10.20.0.0/16", "0.0.0.0/0"})
          node.routes.push_back(
              {.destination = prefix(all), .oif = 3, .gateway = parse_ipv4("10.10.0.1"), .table = 100});
      });
  add("net.default-route", "a rule leads all of the rail's network to it", Status::pass, "does not carry",
      [=](BuiltNode& node, Policy&) {
        node.rail_link(1).addresses.push_back(*parse_prefix("10.10.3.7/16"));  // as a VF's
        node.rules.push_back({.priority = 100, .table = 100, .from = prefix("10.10.0.0/16")});
        for (const char* all : {"10.10.0.0/16", "10.20.0.0/16", "0.0.0.0/0"})
          node.routes.push_back(
              {.destination = prefix(all), .oif = 3, .gateway = parse_ipv4("10.10.0.1"), .table = 100});
      });
  add("net.default-route", "a router gives an IPv6 one", Status::warn, "carries the default route: default",
      [](BuiltNode& node, Policy&) {
        node.routes.push_back({parse_ip_prefix("::/0"), 3, parse_ip("fe80::1")});
      });
  add("net.default-route", "and the rails have no address of their own", Status::warn, "carries the default",
      [](BuiltNode& node, Policy& policy) {
        policy.node->sites.clear(), policy.node->host_addresses = true;
        node.rail_link(0).addresses.clear();
        node.routes.push_back({parse_ip_prefix("::/0"), node.rail_link(0).index, parse_ip("fe80::1")});
      });
  add("net.default-route", "routes cannot be listed", Status::unknown, "not permitted",
      [](BuiltNode& node, Policy&) {
        node.error("netlink", routes_request().key(), EPERM, "netlink: Operation not permitted");
      });

  const auto echo = [](BuiltNode& node, int rail, int bytes, bool replied,
                       const std::string& local_error = "") {
    node.answer("icmp",
                node.netdev(rail) + " 10." + std::to_string(10 + rail) + ".0.21 10." +
                    std::to_string(10 + rail) + ".0.1 " + std::to_string(bytes),
                {{"replied", replied}, {"local_error", local_error}});
  };
  const auto no_echo = [](BuiltNode& node, int rail, int bytes) {
    node.error("icmp",
               node.netdev(rail) + " 10." + std::to_string(10 + rail) + ".0.21 10." +
                   std::to_string(10 + rail) + ".0.1 " + std::to_string(bytes),
               EPERM, "icmp socket: Operation not permitted");
  };
  add("net.reachability", "gateway silent", Status::fail, "does not answer",
      [=](BuiltNode& node, Policy&) { echo(node, 2, 84, false); });
  add("net.reachability", "did not leave", Status::fail, "did not leave",
      [=](BuiltNode& node, Policy&) { echo(node, 2, 84, false, "No route to host"); });
  add("net.reachability", "no permission", Status::unknown, "not permitted",
      [=](BuiltNode& node, Policy&) { no_echo(node, 2, 84); });
  add("net.path-mtu", "black hole", Status::fail, "black hole",
      [=](BuiltNode& node, Policy&) { echo(node, 2, 4220, false); });
  add("net.path-mtu", "interface too small", Status::fail, "do not leave",
      [=](BuiltNode& node, Policy&) { echo(node, 2, 4220, false, "Message too long"); });
  add("net.path-mtu", "nobody there", Status::unknown, "even small packets",
      [=](BuiltNode& node, Policy&) { echo(node, 2, 4220, false), echo(node, 2, 84, false); });
  add("net.rail-matrix", "diagonal broken", Status::fail, "same rail", [=](BuiltNode& node, Policy& policy) {
    reach_peers(node, policy, [](int i, int j) { return i == j && i != 2; });
  });
  add("net.rail-matrix", "mixed", Status::fail, "some rails", [=](BuiltNode& node, Policy& policy) {
    reach_peers(node, policy, [](int i, int j) { return i == j || i == 0; });
  });
  add("net.rail-matrix", "cross-rail wanted", Status::fail, "do not reach each other",
      [=](BuiltNode& node, Policy& policy) {
        reach_peers(node, policy, [](int i, int j) { return i == j; });
        policy.node->cross_rail = true;
      });
  // A list of nodes may name this one as well: that leads nowhere, and shows nothing.
  for (const char* check : {"net.rail-routes", "net.rail-matrix"})
    add(check, "the peer is this node",
        std::string_view(check) == "net.rail-routes" ? Status::unknown : Status::skip, "",
        [](BuiltNode& node, Policy& policy) {
          policy.node->sites.clear();
          policy.node->peers.clear();
          policy.node->peers.emplace_back();
          for (int rail = 0; rail < 4; ++rail)
            policy.node->peers.front().push_back(*parse_ipv4("10." + std::to_string(10 + rail) + ".0.21"));
          (void)node;
        });
  add("net.rail-matrix", "no permission", Status::unknown, "no answer",
      [=](BuiltNode&, Policy& policy) { name_peers(policy); });
  add("net.duplicate-address", "second owner", Status::fail, "02:ff:00:00:00:01",
      [](BuiltNode& node, Policy&) {
        node.answer("arp", node.netdev(0) + " 10.10.0.21", {{"macs", {"02:ff:00:00:00:01"}}});
      });
  add("net.duplicate-address", "our own answer", Status::pass, "", [](BuiltNode& node, Policy&) {
    node.answer("arp", node.netdev(0) + " 10.10.0.21", {{"macs", {node.rail_link(0).mac}}});
  });
  add("net.duplicate-address", "another interface of this machine", Status::warn,
      "answers for 10.10.0.21 too", [](BuiltNode& node, Policy&) {
        node.answer("arp", node.netdev(0) + " 10.10.0.21", {{"macs", {node.rail_link(1).mac}}});
      });
  for (const char* check : {"net.rail-routes", "net.default-route", "net.rules", "net.reachability",
                            "net.path-mtu", "net.duplicate-address"})
    add(check, "link down", Status::unknown, "its link is down",
        [](BuiltNode& node, Policy&) { node.rail_link(1).flags = 0x1002; });
  add("net.duplicate-address", "no permission", Status::unknown, "packet socket",
      [](BuiltNode& node, Policy&) {
        node.error("arp", node.netdev(0) + " 10.10.0.21", EPERM, "packet socket: Operation not permitted");
      });

  add("overlay.default-route", "another device", Status::fail, "out of eno1",
      [](BuiltNode&, Policy& policy) { policy.node->default_device = "bond0"; });
  add("overlay.default-route", "cannot be read", Status::unknown, "not permitted",
      [](BuiltNode& node, Policy&) {
        node.error("netlink", routes_request().key(), EPERM, "netlink: Operation not permitted");
      });
  add("overlay.mtu", "forgot the overhead", Status::fail, "MTU 1500 over eno1", [](BuiltNode& node, Policy&) {
    for (auto& route : node.routes)
      route.mtu = 0;
  });
  add("overlay.mtu", "Cilium not running", Status::fail, "not there", [](BuiltNode& node, Policy&) {
    std::erase_if(node.links, [](const BuiltLink& link) { return link.kind == "vxlan"; });
  });
  add(
      "overlay.mtu", "in a Pod", Status::pass, "",
      [](BuiltNode&, Policy& policy) { policy.node->underlay_mtu = 1500; }, Kind::pod);
  add("overlay.mtu", "no default route", Status::unknown, "underlay is not known",
      [](BuiltNode& node, Policy&) {
        std::erase_if(node.routes, [](const BuiltRoute& route) { return !route.destination; });
      });
}

}  // namespace mlc::test
