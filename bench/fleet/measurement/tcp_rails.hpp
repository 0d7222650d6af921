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

// The one that has this address; of an empty one a rail with a problem.
TcpRail tcp_rail_at(const Host& host, const std::string& address);

// This end's IPv4 address of a connection to `host`, which somebody listens to there; empty where it does not
// come about within seconds.
std::string local_address_towards(const std::string& host, int port);

// Of the IPv4 addresses that a name has, the one that is this machine's own; empty: none is.
std::string own_address_called(const Host& host, const std::string& name);

// IPv4 addresses at which this machine can be reached by others; its loopback address where it has no other.
std::vector<std::string> own_addresses(const Host& host);

}  // namespace mlc::fleet
