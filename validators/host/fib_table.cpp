#include "validators/host/fib_table.hpp"

#include <linux/rtnetlink.h>

#include <algorithm>

namespace mlc {

namespace {

// fib_props[] and fib6_prop[]: what a route of this type makes of a lookup.
enum class Effect { answers, refuses, passes_on };
Effect effect(unsigned type) {
  switch (type) {
    case RTN_THROW:
      return Effect::passes_on;
    case RTN_BLACKHOLE:
    case RTN_UNREACHABLE:
    case RTN_PROHIBIT:
    case RTN_NAT:
    case RTN_XRESOLVE:
      return Effect::refuses;
    default:
      return Effect::answers;
  }
}

FibTableAnswer answer(const Route* route, unsigned type) {
  switch (effect(type)) {
    case Effect::passes_on:
      return {FibOutcome::nothing, route, {}};  // with a route: the search in this table is over
    case Effect::refuses:
      return {FibOutcome::refused, route, {}};
    case Effect::answers:
      break;
  }
  return {FibOutcome::route, route, {}};
}

FibTableAnswer unsure(const Route* route, std::string why) {
  return {FibOutcome::unsure, route, std::move(why)};
}

constexpr const char* no_carrier = "a next hop's device has no carrier (ignore_routes_with_linkdown decides)";
constexpr const char* two_defaults =
    "two default routes of one metric, and the neighbours' state says which is taken";
constexpr const char* no_nexthop = "its next hop object was not listed (ip nexthop)";

// IPv6 selection within one prefix: rt6_score_route() and find_rr_leaf(), as built with
// CONFIG_IPV6_ROUTER_PREF.
class Selection {
 public:
  Selection(const FibFlow& flow, FibDevice device) : flow_(flow), device_(device) {}

  FibTableAnswer among(const std::vector<FibRoute>& routes) {
    if (routes.empty()) return {};
    // First those of the lowest metric, then all others together: a better score beats a lower metric there.
    const unsigned lowest = routes.front().route->priority;
    const auto pass = [&](bool first) {
      for (const auto& one : routes)
        if ((one.route->priority == lowest) == first && !one.route->expired)
          if (consider(one)) break;
    };
    pass(true);
    if (!best_ && why_.empty()) pass(false);
    if (!why_.empty()) return unsure(best_ ? best_->route : routes.front().route, why_);
    return best_ ? answer(best_->route, best_->type) : FibTableAnswer{};
  }

 private:
  // True: nothing after it counts.
  bool consider(const FibRoute& one) {
    if (one.unresolved) {
      why_ = no_nexthop;
      return true;
    }
    if (one.route->nexthop_id != 0 && one.type == RTN_BLACKHOLE) {
      best_ = &one, why_.clear();
      return true;
    }
    static const Hop none;
    const auto paths = one.paths.empty() ? std::vector<Hop>{none} : one.paths;
    for (const auto& hop : paths) {
      if (hop.flags & RTNH_F_DEAD) continue;
      const bool match = flow_.oif == 0 || device_ == FibDevice::ignored || hop.oif == flow_.oif;
      // Without a source the device is strict (ip6_route_output_flags()); with one it is a wish.
      if (!match && !flow_.source) continue;
      const int score = (match ? 2 : 0) | static_cast<int>((one.route->preference & 3) ^ 2) << 2;
      if (score < score_) continue;
      if (score == score_) {
        // The kernel keeps the first, or goes round them (without CONFIG_IPV6_ROUTER_PREF).
        if (best_ && best_ != &one && why_.empty())
          why_ = "routes of one prefix and metric, and nothing says which is taken";
        continue;
      }
      score_ = score, best_ = &one;
      why_ = hop.flags & RTNH_F_LINKDOWN ? no_carrier : "";
      if (one.route->nexthop_id != 0) break;  // rt6_nh_find_match() stops at the first
    }
    return false;
  }

  const FibFlow& flow_;
  const FibDevice device_;
  const FibRoute* best_ = nullptr;
  int score_ = -1;
  std::string why_;
};

}  // namespace

void FibTable::add(FibRoute route) {
  const IpPrefix destination = route.route->destination;
  Node& node = nodes_[destination.length][destination.first().bits];
  const auto& from = route.route->from;
  (from && from->length > 0 ? node.by_source[*from] : node.own).push_back(std::move(route));
}

void FibTable::sort() {
  for (auto& [length, networks] : nodes_)
    for (auto& [network, node] : networks) {
      const auto order = [](Routes& routes) {
        if (routes.empty()) return;
        // fib_find_alias(): local before main where both are one trie, the larger tos, the smaller metric,
        // then age. IPv6 has neither of the first two.
        std::ranges::stable_sort(routes, [](const FibRoute& a, const FibRoute& b) {
          const bool v4 = a.route->family() == IpFamily::v4;
          if (v4 && a.route->table != b.route->table) return a.route->table > b.route->table;
          if (v4 && a.route->tos != b.route->tos) return a.route->tos > b.route->tos;
          return a.route->priority < b.route->priority;
        });
      };
      order(node.own);
      for (auto& [source, routes] : node.by_source)
        order(routes);
    }
}

FibTableAnswer FibTable::at(const IpAddress& address, const FibFlow& flow, FibDevice device) const {
  return address.family == IpFamily::v4 ? at_v4(address, flow, device) : at_v6(address, flow, device);
}

// fib_table_lookup()
FibTableAnswer FibTable::at_v4(const IpAddress& address, const FibFlow& flow, FibDevice device) const {
  std::optional<IpBits>
      left;  // a leaf (all prefixes of one network address) that the kernel does not come back to
  for (const auto& [length, networks] : nodes_) {
    const IpBits network = IpPrefix{address, length}.first().bits;
    const auto node = networks.find(network);
    if (node == networks.end() || left == network) continue;
    const Routes& routes = node->second.own;
    for (std::size_t i = 0; i < routes.size(); ++i) {
      const FibRoute& one = routes[i];
      const Route& route = *one.route;
      if (route.tos != 0 && route.tos != (flow.tos & 0x1c)) continue;  // INET_DSCP_LEGACY_TOS_MASK
      if (effect(one.type) != Effect::answers) return answer(&route, one.type);
      if (one.unresolved) return unsure(&route, no_nexthop);
      const auto good = std::ranges::find_if(one.paths, [&](const Hop& hop) {
        return !(hop.flags & RTNH_F_DEAD) &&
               (flow.oif == 0 || device == FibDevice::ignored || hop.oif == flow.oif);
      });
      // fib_select_default(), which a bound lookup skips
      if (good != one.paths.end() && length == 0 && flow.oif == 0 && i + 1 < routes.size() &&
          routes[i + 1].route->priority == route.priority && routes[i + 1].route->table == route.table)
        return unsure(&route, two_defaults);
      if (good != one.paths.end())
        return good->flags & RTNH_F_LINKDOWN ? unsure(&route, no_carrier) : answer(&route, one.type);
      if (route.nexthop_id != 0) {
        // A next hop object without a hop for us ends the search in its leaf ("goto miss").
        left = network;
        break;
      }
    }
  }
  return {};
}

// fib6_table_lookup(): a first node by fib6_node_lookup(), from there on fib6_backtrack().
FibTableAnswer FibTable::at_v6(const IpAddress& address, const FibFlow& flow, FibDevice device) const {
  const IpAddress source = flow.source.value_or(IpAddress{IpFamily::v6, 0});
  bool begun = false;
  for (const auto& [length, networks] : nodes_) {
    const auto found = networks.find(IpPrefix{address, length}.first().bits);
    if (found == networks.end()) continue;
    const Node& node = found->second;
    std::vector<const Routes*> matching;
    for (const auto& [from, routes] : node.by_source)
      if (from.contains(source)) matching.push_back(&routes);
    std::ranges::sort(matching, [](const Routes* a, const Routes* b) {
      return a->front().route->from->length > b->front().route->from->length;
    });
    // Where a prefix has source-specific routes and none of them matches, fib6_node_lookup() passes over its
    // other routes too; not so at the root, nor on the way back.
    if (!begun && !node.by_source.empty() && matching.empty() && length > 0) continue;
    begun = true;
    if (!node.own.empty()) matching.push_back(&node.own);
    for (const auto* routes : matching)
      // What a route refuses or passes on (throw) is an answer here already: nothing else is tried.
      if (auto said = Selection(flow, device).among(*routes); said.route) return said;
  }
  return {};
}

}  // namespace mlc
