// What the kernel's tables and rules make of every address of a prefix. Pure: the answer follows from values,
// as in net/core/fib_rules.c, net/ipv4/{fib_rules,fib_trie,fib_semantics}.c and
// net/ipv6/{fib6_rules,ip6_fib,route}.c of Linux 4.13 to 6.18. What these do not decide alone is `unsure`,
// with the reason; it is never a guess. Not covered: IPv6 neighbours that are known to have failed (the
// kernel prefers another router while they are), cached redirects, and BPF or netfilter, which see packets
// after this.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "validators/host/route.hpp"

namespace mlc {

// One family, one network namespace.
struct FibTables {
  std::vector<Route> routes;  // in the kernel's order
  std::vector<Rule> rules;    // the same
  std::vector<Nexthop> nexthops;
  // IPv4 looks up local and main as one trie until the first rule is added or removed. Empty: not known, and
  // an answer that depends on it is unsure.
  std::optional<bool> rules_changed;
};

// What is looked up, but for the destination. A member that is empty may have any value: a rule that asks for
// it makes the answer unsure where it matters.
struct FibFlow {
  std::optional<IpAddress> source;
  int oif = 0;           // that the lookup is bound to; 0: none
  std::string oif_name;  // of the same
  unsigned mark = 0, tos = 0;
  std::optional<unsigned> protocol, uid;
  bool ports_known = false;           // true: no port is set
  std::optional<unsigned> vrf_table;  // where the device is in a VRF
  std::string vrf_name;
};

enum class FibOutcome {
  route,    // a unicast, local, broadcast, anycast or multicast route
  refused,  // blackhole, unreachable or prohibit: of `route`, or of `rule` where there is none
  nothing,  // no route
  unsure,   // `why`
};

struct FibAnswer {
  FibOutcome outcome = FibOutcome::nothing;
  const Route* route = nullptr;  // of FibTables
  const Rule* rule = nullptr;    // that led there
  std::string why;
  // The same to whoever sends: by which rule does not matter.
  bool same(const FibAnswer& other) const {
    return outcome == other.outcome && route == other.route && why == other.why;
  }
};

struct FibRange {
  IpRange range;
  FibAnswer answer;
};

// What the kernel sends by its tables alone: no multicast, no broadcast to all, nothing link-local of IPv6.
bool ordinary_unicast(const IpAddress& address);

// Consecutive ranges that cover `within` exactly, each with one answer, neighbours with different ones.
// Pointers lead into `tables`.
std::vector<FibRange> fib_ranges(const FibTables& tables, const FibFlow& flow, const IpPrefix& within);

}  // namespace mlc
