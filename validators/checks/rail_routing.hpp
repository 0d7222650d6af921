// What the checks of routes and rules ask of this machine for a rail.
#pragma once

#include <vector>

#include "validators/checks/rails.hpp"

namespace mlc {

DeviceNames device_names(const Host& host);

// All addresses of this node, of both families, with host bits.
std::vector<IpPrefix> node_addresses(const Host& host);

// What is sent from the rail's own address by a socket that no device is given. Inside a VRF it would find
// none of the rail's routes, so there it is bound.
FibFlow flow_from(const Rail& rail, const std::vector<Link>& links);

// RDMA's lookup (drivers/infiniband/core/addr.c): source and device, neither mark nor tos; sockets that are
// bound to the rail add a protocol, ports and a user, which are any.
FibFlow flow_bound_to(const Rail& rail, const std::vector<Link>& links);

}  // namespace mlc
