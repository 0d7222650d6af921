#include "bench/rdma/rail.hpp"

#include <algorithm>

#include "bench/handles/error.hpp"
#include "bench/rdma/gid.hpp"
#include "reports/record/text.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::rdma {

std::string RailFacts::name() const {
  return "rail " + std::to_string(index) + " (" + device + (netdev.empty() ? "" : ", " + netdev) + ")";
}

namespace {

RailFacts facts_of(const Host& host, const Rail& rail, std::optional<int> gid_index) {
  const FileTree& files = host.files();
  const std::string port = port_path(rail.rdma);
  RailFacts facts{.index = rail.index, .device = rail.rdma, .netdev = rail.netdev};
  if (!rail.addresses.empty()) facts.network = to_string(rail.addresses.front().network());
  if (const auto rate = files.text(port + "rate")) facts.rate_gbit_s = leading_number(*rate).value_or(0);
  for (const std::string& of :
       {"/sys/class/infiniband/" + rail.rdma + "/device/", "/sys/class/net/" + rail.netdev + "/device/"})
    if (const auto node = files.number(of + "numa_node"); node && *node < 4096)
      facts.numa_node = static_cast<int>(*node);
  const auto state = files.text(port + "state");  // "4: ACTIVE"
  if (!state)
    facts.problem = "the state of its port cannot be read: " + state.why;
  else if (!state->starts_with("4:"))
    facts.problem = "its port is " + *state + ", not ACTIVE: see 'mlc-bench validate rdma.port-state'";
  const auto gids = read_gids(files, rail.rdma);
  if (!gids) {
    if (facts.problem.empty()) facts.problem = "its GIDs cannot be read: " + gids.why;
    return facts;
  }
  const GidChoice choice = choose_gid(*gids, rail.netdev, gid_index);
  if (!choice.gid) {
    if (facts.problem.empty()) facts.problem = choice.why + ": see 'mlc-bench validate rdma.gid-table'";
    return facts;
  }
  facts.gid = choice.gid->gid, facts.gid_index = choice.gid->index, facts.warning = choice.why;
  return facts;
}

// Named devices are the rails, in the order given, whatever else they would be.
std::vector<Rail> named_rails(const Host& host, const std::vector<std::string>& names) {
  std::vector<Rail> rails;
  for (const auto& name : names) {
    const auto device = std::ranges::find(*host.rdma_devices(), name, &RdmaDevice::name);
    if (device == host.rdma_devices()->end()) {
      std::vector<std::string> known;
      for (const auto& each : *host.rdma_devices())
        known.push_back(each.name);
      throw BackendError("there is no RDMA device " + printable(name) + " here; there is " +
                         join(known, ", "));
    }
    Rail rail;
    rail.index = static_cast<int>(rails.size()), rail.rdma = name, rail.pci = device->pci;
    if (!device->netdevs.empty()) rail.netdev = device->netdevs.front();
    for (const auto& link : *host.links())
      for (const auto& address : *host.addresses())
        if (link.name == rail.netdev && address.index == link.index) rail.addresses.push_back(address.prefix);
    rails.push_back(std::move(rail));
  }
  return rails;
}

}  // namespace

std::vector<RailFacts> rails_here(const Host& host, const Policy& policy, const RailChoice& choice) {
  const auto& devices = host.rdma_devices();
  if (!devices) throw BackendError("rdma: " + devices.why);
  if (devices->empty())
    throw BackendError(
        "no RDMA device: /sys/class/infiniband is empty. On the node: lspci must list the NICs and mlx5_ib "
        "be loaded; in "
        "a Pod: ask for the rails' device-plugin resources");
  auto rails = read_rails(host, policy);
  if (!rails && choice.devices.empty()) throw BackendError("no rail: " + rails.why);
  if (!choice.devices.empty()) rails.value = named_rails(host, choice.devices);
  std::vector<RailFacts> facts;
  for (const Rail& rail : *rails)
    if (choice.rails.empty() || std::ranges::find(choice.rails, rail.index) != choice.rails.end())
      facts.push_back(facts_of(host, rail, choice.gid_index));
  for (int index : choice.rails)
    if (std::ranges::find(facts, index, &RailFacts::index) == facts.end())
      throw BackendError("there is no rail " + std::to_string(index) + " here: there are " +
                         std::to_string(rails->size()) + ", from 0");
  return facts;
}

}  // namespace mlc::rdma
