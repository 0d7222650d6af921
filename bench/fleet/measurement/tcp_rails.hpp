// Which interfaces of this machine are its rails, where flows go over TCP.
#pragma once

#include <string>
#include <vector>

#include "bench/fleet/measurement/tcp_engine.hpp"
#include "validators/host/host.hpp"

namespace mlc::fleet {

// In the order of their names here, so that rail 2 is the same on all nodes. One that is not there, is down
// or has no IPv4 address is a rail with a problem.
std::vector<TcpRail> tcp_rails(const Host& host, const std::vector<std::string>& interfaces);

// The one over which `peer` (an IPv4 address) is reached; loopback where there is no way to it.
TcpRail tcp_rail_towards(const Host& host, const std::string& peer);

// IPv4 addresses at which this machine can be reached by others; its loopback address where it has no other.
std::vector<std::string> own_addresses(const Host& host);

}  // namespace mlc::fleet
