#include "validators/checks/rails.hpp"

#include <algorithm>

#include "reports/record/text.hpp"
#include "validators/checks/rail_candidates.hpp"

namespace mlc {

const NodeExpectation* expectation(const Policy& policy) { return policy.node ? &*policy.node : nullptr; }

std::optional<int> expected_rails(const Policy& policy) {
  if (!policy.node) return std::nullopt;
  if (policy.node->rails) return policy.node->rails;
  // Who names each rail, or its address, has counted them.
  if (const auto& select = policy.node->select; !select.each.empty() && !select.of_all)
    return static_cast<int>(select.each.size());
  if (!policy.node->sites.empty()) return static_cast<int>(policy.node->sites.size());
  return policy.target ? std::optional<int>(policy.target->rails) : std::nullopt;
}

std::string Rail::name() const {
  return "rail " + (numbered ? std::to_string(index) : "?") + " (" + (netdev.empty() ? rdma : netdev) + ")";
}

std::optional<Ipv4> Rail::meets(const std::vector<Ipv4>& peer) const {
  // Peers are known by their IPv4 addresses.
  if (family() != IpFamily::v4 || static_cast<std::size_t>(index) >= peer.size()) return std::nullopt;
  const Ipv4 there = peer[static_cast<std::size_t>(index)];
  const auto own = [&](const Prefix& address) { return address.address == there; };
  return std::ranges::any_of(addresses, own) ? std::nullopt : std::optional(there);
}

IpFamily Rail::family() const {
  if (site) return site->prefix.family();
  return addresses.empty() && !addresses6.empty() ? IpFamily::v6 : IpFamily::v4;
}

std::vector<IpPrefix> Rail::own() const {
  return family() == IpFamily::v6 ? addresses6 : std::vector<IpPrefix>(addresses.begin(), addresses.end());
}

std::optional<Ipv4> gateway4(const Rail& rail) { return rail.gateway ? rail.gateway->v4() : std::nullopt; }

std::vector<std::string> Rail::ports() const { return members.empty() ? std::vector{netdev} : members; }

namespace {

bool in_site(const RailExpectation* site, const IpPrefix& address) {
  return site && site->prefix.contains(address.address);
}

// Where the rails' addresses are: on these interfaces, or on VFs that Pods have. Empty: nobody says.
std::optional<bool> addressed_here(const Host& host, const std::vector<Rail>& rails,
                                   const NodeExpectation* expected) {
  // "Not on the host" is said of PFs: in a Pod, and in a virtual machine, the rails are the VFs themselves.
  if (expected && expected->host_addresses)
    return *expected->host_addresses || std::ranges::any_of(rails, &Rail::vf);
  if (expected && !expected->sites.empty()) return true;
  bool vfs = true;
  for (const auto& rail : rails) {
    if (rail.vf || !rail.addresses.empty() || !rail.addresses6.empty() || !rail.link_local.empty())
      return true;
    const auto count = host.files().number("/sys/bus/pci/devices/" + rail.pci + "/sriov_numvfs");
    vfs = vfs && count && *count > 0;
  }
  if (!vfs) return true;
  return expected ? std::nullopt : std::optional(false);
}

// Of them, or of what only they have. Asking for no VFs is met where there is no rail.
bool asks_about_rails(const NodeExpectation& node) {
  const bool of_vfs = std::ranges::any_of(node.keys, [&](const std::string& key) {
    return key.starts_with("vfs.") && (key != "vfs.per_pf" || node.vfs_per_pf.value_or(1) > 0);
  });
  return of_vfs || asks_of(node, "rails.") || asks_of(node, "lossless.") || asks_of(node, "probe.");
}

std::string undecided_text(const RailsHere& here) {
  return join(here.undecided, ", ") + " may all be rails, and nothing says which are";
}

constexpr const char* rail_source = "/sys/class/infiniband, RTM_GETLINK";
constexpr const char* name_them =
    "name the rails in the policy: node.rails.select (PCI address, interface, near_gpu, subnet, ...)";

}  // namespace

Rail rail_of(const RailCandidate& candidate, const FoundRail& found, const NodeExpectation* expected) {
  const int index = found.index;
  Rail rail{.index = index,
            .rdma = candidate.rdma,
            .netdev = candidate.netdev,
            .pci = candidate.pci,
            .members = candidate.members,
            .vf = candidate.vf,
            .soft = candidate.soft,
            .link_layer = candidate.link_layer,
            .source = found.source,
            .numbered = found.numbered,
            .link = candidate.link,
            .addresses6 = candidate.addresses6};
  // What is expected of another rail would be asked of this one.
  if (found.numbered && expected && static_cast<std::size_t>(index) < expected->sites.size())
    rail.site = &expected->sites[static_cast<std::size_t>(index)];
  for (const auto& address : candidate.addresses)
    (IpAddress(address.address).link_local() && !in_site(rail.site, address) ? rail.link_local
                                                                             : rail.addresses)
        .push_back(address);
  std::ranges::stable_partition(rail.addresses, [&](const Prefix& one) { return in_site(rail.site, one); });
  std::ranges::stable_partition(rail.addresses6, [&](const auto& one) { return in_site(rail.site, one); });
  if (rail.site) {
    rail.gateway = rail.site->gateway;
    const auto own = rail.own();
    if (rail.site->first_is_gateway && !own.empty() && own.front().length < width(rail.family()) - 1)
      rail.gateway = IpAddress{rail.family(), own.front().first().bits + 1};
  }
  return rail;
}

Read<RailsHere> read_rails_here(const Host& host, const Policy& policy) {
  const auto inputs = read_rail_inputs(host, expectation(policy));
  if (!inputs) return Read<RailsHere>::no(inputs);
  auto selection = select_rails(*inputs, expectation(policy));
  RailsHere here{.missing = std::move(selection.missing),
                 .named = selection.named,
                 .unanswered = std::move(selection.unanswered)};
  for (const auto& found : selection.rails)
    here.rails.push_back(rail_of(inputs->candidates[found.candidate], found, expectation(policy)));
  for (const auto& other : selection.others)
    here.others.push_back(
        {inputs->candidates[other.candidate].name(), inputs->candidates[other.candidate].pci, other.why});
  for (const std::size_t i : selection.undecided)
    here.undecided.push_back(inputs->candidates[i].name());
  return Read<RailsHere>::of(std::move(here));
}

Read<std::vector<Rail>> read_rails(const Host& host, const Policy& policy) {
  using Rails = std::vector<Rail>;
  auto here = read_rails_here(host, policy);
  if (!here) return Read<Rails>::no(here);
  if (!here->undecided.empty()) return Read<Rails>::unreadable(undecided_text(*here));
  if (here->rails.empty()) return Read<Rails>::not_there("no RDMA device here is a rail");
  return Read<Rails>::of(std::move(here.value.rails));
}

std::vector<RailNic> rail_nics(const Host& host, const std::vector<Rail>& rails) {
  std::vector<RailNic> nics;
  for (const auto& rail : rails) {
    RailNic nic{rail.name(), rail.rdma, rail.pci, rail.link, false};
    if (rail.vf || !rail.members.empty()) {
      // Neither a VF's interface nor a bond is the PF's own.
      nic.link.reset();
      const auto& devices = *host.rdma_devices();
      const auto device = std::ranges::find(devices, rail.rdma, &RdmaDevice::name);
      nic.hidden = rail.vf && (device == devices.end() || !device->is_vf());
      if (rail.vf && !nic.hidden) nic.pci = device->parent;
      const auto netdevs = host.files().list("/sys/bus/pci/devices/" + nic.pci + "/net");
      for (const auto& link : *host.links())
        if (!nic.hidden && std::ranges::find(*netdevs, link.name) != netdevs->end()) nic.link = link;
    }
    nics.push_back(std::move(nic));
  }
  return nics;
}

std::optional<std::vector<Rail>> rails_or_say(const Host& host, const Policy& policy,
                                              CheckFindings& findings) {
  auto here = read_rails_here(host, policy);
  if (here && !here->rails.empty()) return std::move(here.value.rails);
  const auto wanted = expected_rails(policy);
  const std::string source = rail_source;
  const std::string expected = wanted ? std::to_string(*wanted) + " rails" : std::string();
  const std::string why = here ? "no RDMA device here is a rail" : here.why;
  if (here && !here->undecided.empty()) {
    findings.unknown("rails", undecided_text(*here), expected, source, name_them);
  } else if (!here && !here.missing()) {
    findings.unknown("rails", here.why, expected, source,
                     "run on the node itself, or capture it again with: mlc-bench capture DIR");
  } else if (wanted && *wanted > 0 && findings.check() == "pci.inventory") {
    // One cause, one failure: the checks of what is not there could not be made.
    findings.fail("rails", "no rail: " + why, expected, source,
                  "lspci -d 15b3: must list the NICs (if not: power-cycle, reseat, RMA); then load their "
                  "driver: modprobe mlx5_ib; dmesg | grep mlx5_core");
  } else if (wanted && *wanted > 0) {
    findings.needs("pci.inventory", "rails", "no rail to look at: " + why, expected, source);
  } else if (policy.node && asks_about_rails(*policy.node)) {
    findings.unknown("rails", "no rail: " + why, "the rails that the policy asks about", source,
                     "say how many there have to be: node.rails.count");
  } else {
    findings.skip("rails", "no rails on this machine: " + why, source);
  }
  return std::nullopt;
}

std::optional<std::vector<Rail>> roce_rails_or_say(const Host& host, const Policy& policy,
                                                   CheckFindings& findings) {
  auto rails = rails_or_say(host, policy, findings);
  if (!rails) return rails;
  const std::string why = "InfiniBand: no rule of Ethernet or IP applies";
  if (std::ranges::all_of(*rails, &Rail::infiniband)) {
    findings.skip("rails", why, "/sys/class/infiniband/*/ports/1/link_layer");
    return std::nullopt;
  }
  for (const auto& rail : *rails)
    if (rail.infiniband()) findings.skip(rail.name(), why, port_path(rail.rdma) + "link_layer");
  std::erase_if(*rails, [](const Rail& rail) { return rail.infiniband(); });
  return rails;
}

std::optional<std::vector<Rail>> addressed_rails_or_say(const Host& host, const Policy& policy,
                                                        CheckFindings& findings) {
  auto rails = roce_rails_or_say(host, policy, findings);
  if (!rails) return rails;
  const auto here = addressed_here(host, *rails, expectation(policy));
  if (here.value_or(false)) {
    for (const auto& rail : *rails)
      if (!rail.numbered)
        findings.unknown(rail.name(), "which of the rails it is, nothing says", "", "RTM_GETADDR",
                         "give it its rail's address, as the build sheet has it; a NIC is missing as well: "
                         "pci.inventory");
    std::erase_if(*rails, [](const Rail& rail) { return !rail.numbered; });
    return rails;
  }
  const auto* node = expectation(policy);
  const std::string
      why = node && node->host_addresses
                ? "the rails' addresses are those of VFs in Pods (node.rails.host_addresses: false)"
                : "the PFs have no address; their VFs, in Pods, may have them",
      source = "RTM_GETADDR";
  if (here)
    findings.skip("rails", why, source);
  else
    findings.unknown("rails", why, "addresses where the policy has them", source,
                     "say which it is in the policy: node.rails.host_addresses: false if only Pods have "
                     "them, true if the node has");
  return std::nullopt;
}

bool has_link(const Link& link) { return link.up() && link.carrier.value_or(1) != 0; }

std::optional<std::vector<Rail>> rails_up_or_say(const Host& host, const Policy& policy,
                                                 CheckFindings& findings) {
  auto rails = addressed_rails_or_say(host, policy, findings);
  if (!rails) return rails;
  const auto nics = rail_nics(host, *rails);
  std::vector<Rail> up;
  for (std::size_t i = 0; i < rails->size(); ++i) {
    const Rail& rail = (*rails)[i];
    const bool pf_linked = !rail.vf || !nics[i].link || has_link(*nics[i].link);
    const bool linked = rail.link && has_link(*rail.link) && pf_linked;
    if (!linked)
      findings.needs("rdma.port-state", rail.name(), "its link is down", "", "RTM_GETLINK of " + rail.netdev);
    else
      up.push_back(rail);
  }
  return up;
}

std::optional<std::vector<Rail>> ipv4_rails_up_or_say(const Host& host, const Policy& policy,
                                                      CheckFindings& findings) {
  auto rails = rails_up_or_say(host, policy, findings);
  if (!rails) return rails;
  const auto six_alone = [](const Rail& rail) { return rail.addresses.empty() && !rail.addresses6.empty(); };
  for (const auto& rail : *rails)
    if (six_alone(rail))
      findings.unknown(rail.name(),
                       "has IPv6 alone (" + to_string(rail.addresses6.front()) + "); this is a check of IPv4",
                       "", "RTM_GETADDR, /proc/net/if_inet6",
                       "ask by hand: ping -6 -I " + rail.netdev +
                           " ADDRESS; where that is enough, leave the check out (node.skip)");
  std::erase_if(*rails, six_alone);
  return rails;
}

}  // namespace mlc
