#include "validators/checks/rail_routing.hpp"

#include "validators/host/inet6.hpp"

namespace mlc {

DeviceNames device_names(const Host& host) {
  DeviceNames names;
  for (const auto& link : *host.links())
    names[link.index] = link.name;
  return names;
}

std::vector<IpPrefix> node_addresses(const Host& host) {
  std::vector<IpPrefix> all;
  for (const auto& address : *host.addresses())
    all.push_back(address.prefix);
  for (const auto& address : parse_if_inet6(host.files().text("/proc/net/if_inet6").value))
    all.push_back(address.prefix);
  return all;
}

FibFlow flow_bound_to(const Rail& rail, const std::vector<Link>& links) {
  FibFlow flow;
  if (const auto own = rail.own(); !own.empty()) flow.source = own.front().address;
  flow.oif = rail.link->index;
  flow.oif_name = rail.netdev;
  for (const auto& link : links)
    if (rail.link->master != 0 && link.index == rail.link->master && link.kind == "vrf")
      flow.vrf_table = link.vrf_table.value_or(0), flow.vrf_name = link.name;
  return flow;
}

FibFlow flow_from(const Rail& rail, const std::vector<Link>& links) {
  FibFlow flow = flow_bound_to(rail, links);
  if (!flow.vrf_table) flow.oif = 0, flow.oif_name.clear();
  return flow;
}

}  // namespace mlc
