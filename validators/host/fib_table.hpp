// One routing table of one family: which of its routes answers for an address. Part of fib.hpp.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "validators/host/fib.hpp"

namespace mlc {

// What a table says. `nothing` sends the lookup on to the next rule; its `route`, if any, is the throw route
// that did.
struct FibTableAnswer {
  FibOutcome outcome = FibOutcome::nothing;
  const Route* route = nullptr;
  std::string why;
};

// A route with its hops, those of a next hop object included.
struct FibRoute {
  const Route* route = nullptr;
  std::vector<Hop> paths;
  unsigned type = 0;
  bool unresolved = false;  // its next hop object is not known
};

// Whether a next hop must leave by the device of the lookup. In a VRF it need not before Linux 6.0
// (FLOWI_FLAG_SKIP_NH_OIF).
enum class FibDevice { compared, ignored };

class FibTable {
 public:
  void add(FibRoute route);
  void sort();  // once, after the last add()
  FibTableAnswer at(const IpAddress& address, const FibFlow& flow, FibDevice device) const;

 private:
  using Routes = std::vector<FibRoute>;
  struct Node {                            // one prefix
    Routes own;                            // IPv4: all; IPv6: those that ask for no source
    std::map<IpPrefix, Routes> by_source;  // IPv6
  };
  FibTableAnswer at_v4(const IpAddress& address, const FibFlow& flow, FibDevice device) const;
  FibTableAnswer at_v6(const IpAddress& address, const FibFlow& flow, FibDevice device) const;

  std::map<int, std::map<IpBits, Node>, std::greater<>> nodes_;  // by length, the longest first, then network
};

}  // namespace mlc
