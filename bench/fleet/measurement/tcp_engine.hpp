// Flows over TCP, for what has no RDMA: a CPU cluster, a laptop, network namespaces. A connection stands for
// a queue pair, and its source port is chosen, so that ECMP by the 5-tuple carries it as it would a RoCE v2
// flow label.
#pragma once

#include "bench/fleet/measurement/engine.hpp"
#include "validators/host/ipv4.hpp"

namespace mlc::fleet {

// Above those that Linux gives out by itself (ip_local_port_range).
inline constexpr int first_source_port = 61'000;

struct TcpRail {
  std::string name;  // of the interface
  Ipv4 address;      // both ends of its connections here
  double gbit_s = 0;
  std::string problem;
};

// Listens on each rail. Throws nothing: a rail that cannot be listened on is one with a problem.
std::unique_ptr<Engine> tcp_engine(std::vector<TcpRail> rails);

}  // namespace mlc::fleet
