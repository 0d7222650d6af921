#include "bench/rdma/rail.hpp"

#include <algorithm>

#include "bench/handles/error.hpp"
#include "bench/rdma/gid.hpp"
#include "reports/record/text.hpp"
#include "validators/checks/rail_candidates.hpp"
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
  if (rail.infiniband()) {
    // The first row is the port's own GUID, in its subnet; the LID is asked for when the device is opened.
    facts.gid_index = gid_index.value_or(0);
    const auto gid = files.text(port + "gids/" + std::to_string(facts.gid_index));
    facts.gid = gid.value;
    if (!gid && facts.problem.empty()) facts.problem = "its GID cannot be read: " + gid.why;
    return facts;
  }
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

// What the policy names and this machine lacks stays in the list, so that no run passes without it.
RailFacts absent(const MissingRail& missing, const std::vector<RailFacts>& others) {
  RailFacts facts;
  while (std::ranges::find(others, facts.index, &RailFacts::index) != others.end())
    ++facts.index;
  if (missing.index) facts.index = *missing.index;
  facts.device = missing.names.empty() ? "missing" : join(missing.names, ", ");
  facts.problem = missing.text() + " is missing: see 'mlc-bench validate pci.inventory'";
  return facts;
}

// Named devices are the rails, in the order given, whatever else they would be.
std::vector<Rail> named_rails(const Host& host, const std::vector<std::string>& names) {
  const auto inputs = read_rail_inputs(host, nullptr);
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
    const int index = static_cast<int>(rails.size());
    const auto candidate = std::ranges::find(inputs->candidates, name, &RailCandidate::rdma);
    if (candidate != inputs->candidates.end())
      rails.push_back(rail_of(*candidate, {.index = index, .source = RailSource::selector}, nullptr));
    else
      rails.push_back({.index = index, .rdma = name, .pci = device->pci});
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
  RailsHere here;
  if (!choice.devices.empty()) {
    here.rails = named_rails(host, choice.devices);
  } else {
    auto read = read_rails_here(host, policy);
    if (!read) throw BackendError("no rail: " + read.why);
    here = std::move(read.value);
    if (!here.undecided.empty())
      throw BackendError(join(here.undecided, ", ") +
                         " may all be rails, and nothing says which are: name them in the policy "
                         "(node.rails.select), or with --devices");
    if (here.rails.empty()) throw BackendError("no rail: no RDMA device here is one that the policy names");
  }
  std::vector<RailFacts> facts;
  for (const Rail& rail : here.rails) {
    facts.push_back(facts_of(host, rail, choice.gid_index));
    if (here.named && rail.source == RailSource::inferred)
      facts.back().doubt = "taken for a rail because nothing else is left; the policy names its rails";
  }
  for (const MissingRail& missing : here.missing)
    facts.push_back(absent(missing, facts));
  std::ranges::sort(facts, {}, &RailFacts::index);
  for (int index : choice.rails)
    if (std::ranges::find(facts, index, &RailFacts::index) == facts.end())
      throw BackendError("there is no rail " + std::to_string(index) + " here: there are " +
                         std::to_string(facts.size()) + ", from 0");
  std::erase_if(facts, [&](const RailFacts& one) {
    return !choice.rails.empty() && std::ranges::find(choice.rails, one.index) == choice.rails.end();
  });
  return facts;
}

}  // namespace mlc::rdma
