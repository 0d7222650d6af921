// Whether every address of a destination is reached as a rail must reach it. Pure: from what fib.hpp says of
// the tables, and the kernel's own lookups beside it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reports/record/finding.hpp"
#include "validators/host/fib.hpp"
#include "validators/host/read.hpp"

namespace mlc {

struct RouteDemand {
  std::string subject;  // "rail 1 (ens2f0np0) to 10.21.0.0/16 (destination)"
  IpPrefix within;
  std::vector<IpPrefix> except;      // judged by a demand of their own: the rail's subnets
  std::optional<IpAddress> gateway;  // that the route must go through
  bool on_link = false;              // must be reached without a gateway
  int oif = 0;
  std::string device;
  IpAddress source;
  std::vector<IpPrefix> own;   // the rail's addresses, with host bits
  std::vector<IpPrefix> node;  // all addresses of this node, with host bits
  unsigned mtu = 0;            // at least; 0: any
  unsigned device_mtu = 0;     // what a route without one has; 0: not known
};

struct JudgedRange {
  IpRange range;
  Status status = Status::pass;
  std::string said;    // "blackhole: blackhole 10.1.2.0/24"
  std::string remedy;  // empty for a pass
};

// The ranges of `within` without `except`, neighbours of one verdict as one.
// `tables` are those that `ranges` are of: a remedy may be in what a lookup does not come to.
std::vector<JudgedRange> judge_ranges(const RouteDemand& demand, const FibTables& tables,
                                      const std::vector<FibRange>& ranges, const DeviceNames& names);

// This node's own address, or the network or broadcast address of one of its subnets: nobody else is there.
// `node`: its addresses, with host bits.
bool of_this_node(const std::vector<IpPrefix>& node, const IpRange& range, const Route& route);

// Addresses whose lookup by the kernel proves the ranges: the first and the last of each, at most `limit`
// ranges.
std::vector<IpAddress> boundaries(const RouteDemand& demand, const std::vector<FibRange>& ranges,
                                  std::size_t limit = 256);

struct KernelAnswer {
  IpAddress address;
  Read<Route> match;
};

struct CrossCheck {
  std::size_t agreed = 0;
  std::vector<std::string> disagreements;  // "10.9.0.1: the tables say ..., the kernel answers ..."
  bool refused = false;                    // one of them: the kernel has no route where the tables have one
  std::string not_asked, failed;           // why there is no answer: of another time, or of the kernel
};
CrossCheck cross_check(const std::vector<FibRange>& ranges, const std::vector<KernelAnswer>& answers,
                       const DeviceNames& names);

}  // namespace mlc
