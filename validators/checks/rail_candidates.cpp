#include "validators/checks/rail_candidates.hpp"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <sstream>

#include "validators/host/pod.hpp"

namespace mlc {

namespace {

struct GpuPath {
  int index = 0;
  std::vector<std::string> bridges;
};

std::vector<std::string> bridges_above(const FileTree& files, const std::string& address) {
  auto path = read_pci_path(files, address);
  if (!path) return {};
  path.value.pop_back();
  return std::move(path.value);
}

std::vector<GpuPath> gpu_paths(const Host& host) {
  std::vector<GpuPath> gpus;
  for (const auto& device : *host.pci_devices())
    if (device.gpu())
      gpus.push_back({static_cast<int>(gpus.size()), bridges_above(host.files(), device.address)});
  return gpus;
}

LinkLayer link_layer_of(const FileTree& files, const std::string& device) {
  const auto text = files.text(port_path(device) + "link_layer");
  if (!text) return LinkLayer::unknown;
  return *text == "InfiniBand" ? LinkLayer::infiniband
         : *text == "Ethernet" ? LinkLayer::ethernet
                               : LinkLayer::unknown;
}

// mlx5 VFs where the PF is out of sight, as in a virtual machine
// (drivers/net/ethernet/mellanox/mlx5/core/main.c, MLX5_PCI_DEV_IS_VF).
bool is_vf_model(std::uint64_t vendor, std::uint64_t model) {
  static constexpr std::uint64_t models[]{0x1012, 0x1014, 0x1016, 0x1018, 0x101a, 0x101c, 0x101e, 0xa2d3};
  return vendor == 0x15b3 && std::ranges::find(models, model) != std::end(models);
}

void read_identity(const Host& host, const std::vector<GpuPath>& gpus, RailCandidate& candidate) {
  const auto& pci = *host.pci_devices();
  const auto own = std::ranges::find(pci, candidate.pci, &PciDevice::address);
  const auto parent = std::ranges::find(pci, candidate.parent, &PciDevice::address);
  // A selector means the card: a VF of it has another number.
  const auto& card = parent != pci.end() ? parent : own;
  if (card != pci.end()) candidate.vendor = card->vendor, candidate.model = card->device;
  if (own != pci.end()) candidate.vf = candidate.vf || is_vf_model(own->vendor, own->device);
  if (candidate.pci.empty()) return;
  const auto node = host.files().number("/sys/bus/pci/devices/" + candidate.pci + "/numa_node");
  if (node && *node < 4096) candidate.numa = static_cast<int>(*node);
  const auto mine = bridges_above(host.files(), candidate.pci);
  for (const auto& gpu : gpus)
    if (!mine.empty() && !gpu.bridges.empty() && gpu.bridges.front() == mine.front())
      candidate.gpus.push_back(gpu.index);
}

// The interface that has the addresses: that of the device, or the bond that it is a member of.
std::string carrier_of(const FileTree& files, const std::string& netdev, std::vector<std::string>& members) {
  const auto master = files.resolve("/sys/class/net/" + netdev + "/master");
  if (!master) return netdev;
  std::string bond = master->substr(master->rfind('/') + 1);
  const auto names = files.text("/sys/class/net/" + bond + "/bonding/slaves");
  if (!names) return netdev;
  std::istringstream words(*names);
  for (std::string member; words >> member;)
    members.push_back(member);
  return bond;
}

void read_addresses(const Host& host, const std::vector<Inet6Address>& inet6, RailCandidate& candidate) {
  for (const auto& address : *host.addresses())
    if (candidate.link && address.index == candidate.link->index)
      candidate.addresses.push_back(address.prefix);
  for (const auto& address : inet6)
    if (address.interface == candidate.netdev && !address.prefix.address.link_local())
      candidate.addresses6.push_back(address.prefix);
}

// One port, one rail: of several interfaces (in switchdev mode the VFs' representors) the one with addresses.
std::optional<RailCandidate> candidate_of(const Host& host, const RdmaDevice& device,
                                          const std::vector<Inet6Address>& inet6) {
  RailCandidate base;
  base.rdma = device.name, base.pci = device.pci, base.parent = device.parent;
  base.vf = device.is_vf(), base.soft = device.soft;
  base.link_layer = link_layer_of(host.files(), device.name);
  std::optional<RailCandidate> best;
  for (const auto& netdev : device.netdevs) {
    RailCandidate one = base;
    one.netdev = carrier_of(host.files(), netdev, one.members);
    for (const auto& link : *host.links())
      if (link.name == one.netdev) one.link = link;
    if (!one.link) continue;
    read_addresses(host, inet6, one);
    const bool addressed = !one.addresses.empty() || !one.addresses6.empty();
    if (!best || (addressed && best->addresses.empty() && best->addresses6.empty())) best = std::move(one);
  }
  // InfiniBand carries RDMA without any interface.
  if (!best && base.link_layer == LinkLayer::infiniband && device.netdevs.empty()) best = std::move(base);
  return best;
}

void read_pod(const Host& host, const NodeExpectation* expected, RailInputs& inputs) {
  const auto given = device_plugin_devices(host.environment());
  Read<std::vector<Attachment>> attached;
  const std::string podinfo = expected ? expected->podinfo : NodeExpectation{}.podinfo;
  if (host.files().exists(podinfo)) attached = read_network_status(host.files(), podinfo);
  inputs.pod_known = !given.empty() || !attached->empty();
  for (auto& candidate : inputs.candidates) {
    for (const auto& [variable, addresses] : given)
      if (std::ranges::find(addresses, candidate.pci) != addresses.end())
        candidate.resources.push_back(variable);
    for (const auto& one : *attached)
      if (one.interface == candidate.netdev) candidate.networks.push_back(one.network);
  }
}

void read_routes(const Host& host, RailInputs& inputs) {
  for (const auto& route : *host.routes()) {
    const auto link = std::ranges::find(*host.links(), route.oif.value_or(0), &Link::index);
    if (link == host.links()->end() || route.type != RTN_UNICAST || route.family() != IpFamily::v4) continue;
    if (!route.is_default() && route.table != RT_TABLE_LOCAL)
      inputs.routes.push_back(
          {{Ipv4{static_cast<std::uint32_t>(route.destination.address.bits)}, route.destination.length},
           link->name});
    else if (route.is_default() && route.table == RT_TABLE_MAIN)
      inputs.default_device = link->name;
  }
}

}  // namespace

Read<RailInputs> read_rail_inputs(const Host& host, const NodeExpectation* expected) {
  const auto& devices = host.rdma_devices();
  if (!devices) return Read<RailInputs>::unreadable(devices.why);
  if (devices->empty()) return Read<RailInputs>::not_there("there is no RDMA device");
  const auto& links = host.links();
  if (!links) return Read<RailInputs>::unreadable("interfaces: " + links.why);
  const auto& addresses = host.addresses();
  if (!addresses) return Read<RailInputs>::unreadable("addresses: " + addresses.why);
  const auto inet6 = parse_if_inet6(host.files().text("/proc/net/if_inet6").value);
  const auto gpus = gpu_paths(host);
  RailInputs inputs;
  for (const auto& device : *devices)
    if (auto candidate = candidate_of(host, device, inet6)) {
      read_identity(host, gpus, *candidate);
      inputs.candidates.push_back(std::move(*candidate));
    }
  // In a namespace with VFs of its own a PF without an interface is only seen, not had.
  if (std::ranges::any_of(inputs.candidates, [](const auto& one) { return one.vf && one.link; }))
    std::erase_if(inputs.candidates, [](const auto& one) { return !one.vf && !one.link; });
  if (inputs.candidates.empty())
    return Read<RailInputs>::not_there("no RDMA device has an interface in this network namespace");
  read_pod(host, expected, inputs);
  read_routes(host, inputs);
  return Read<RailInputs>::of(std::move(inputs));
}

}  // namespace mlc
