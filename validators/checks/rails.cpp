#include "validators/checks/rails.hpp"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <set>

namespace mlc {

const NodeExpectation* expectation(const Policy& policy) { return policy.node ? &*policy.node : nullptr; }

std::optional<int> expected_rails(const Policy& policy) {
  if (!policy.node) return std::nullopt;
  if (policy.node->rails) return policy.node->rails;
  return policy.target ? std::optional<int>(policy.target->rails) : std::nullopt;
}

std::string Rail::name() const {
  return "rail " + std::to_string(index) + " (" + (netdev.empty() ? rdma : netdev) + ")";
}

std::vector<Rail> choose_rails(const RailInputs& inputs, const NodeExpectation* expected) {
  struct Candidate {
    Rail rail;
    double rate;
  };
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < inputs.devices.size(); ++i) {
    const RdmaDevice& device = inputs.devices[i];
    for (const auto& netdev : device.netdevs) {
      const auto link = std::ranges::find(inputs.links, netdev, &Link::name);
      if (link == inputs.links.end()) continue;
      Candidate candidate{
          {0, device.name, netdev, device.pci, device.is_vf(), device.soft, *link, {}, nullptr, {}},
          i < inputs.rates.size() ? inputs.rates[i] : 0};
      for (const auto& address : inputs.addresses)
        if (address.index == link->index) candidate.rail.addresses.push_back(address.prefix);
      candidates.push_back(std::move(candidate));
    }
  }
  const bool any_pf = std::ranges::any_of(candidates, [](const Candidate& one) { return !one.rail.vf; });
  if (any_pf) std::erase_if(candidates, [](const Candidate& one) { return one.rail.vf; });
  const auto wanted = expected && expected->rails ? static_cast<std::size_t>(*expected->rails) : 0;
  // The device of the ordinary network is no rail. But where a policy counts rails and there are no more than
  // that, a rail with the default route is a fault to be found, not a device to be left out.
  if (wanted == 0 || candidates.size() > wanted)
    std::erase_if(candidates, [&](const Candidate& one) { return one.rail.netdev == inputs.default_device; });
  if (expected && expected->rail_gbit_s && wanted > 0 && candidates.size() > wanted) {
    const auto right = std::ranges::count(candidates, *expected->rail_gbit_s, &Candidate::rate);
    if (static_cast<std::size_t>(right) == wanted)
      std::erase_if(candidates, [&](const Candidate& one) { return one.rate != *expected->rail_gbit_s; });
  }
  std::vector<Rail> rails;
  for (auto& candidate : candidates)
    rails.push_back(std::move(candidate.rail));
  std::ranges::sort(rails, {}, [](const Rail& rail) { return std::tie(rail.pci, rail.netdev); });

  // With the site's prefixes known, the address says which rail it is; a rail without one keeps a free place.
  if (expected && !expected->sites.empty()) {
    std::set<int> taken;
    for (auto& rail : rails) {
      rail.index = -1;
      for (std::size_t i = 0; i < expected->sites.size() && rail.index < 0; ++i)
        for (const auto& address : rail.addresses)
          if (expected->sites[i].prefix.contains(address.address) && !taken.contains(static_cast<int>(i)))
            rail.index = static_cast<int>(i);
      if (rail.index >= 0)
        taken.insert(rail.index), rail.site = &expected->sites[static_cast<std::size_t>(rail.index)];
    }
    int next = 0;
    for (auto& rail : rails) {
      if (rail.index >= 0) continue;
      while (taken.contains(next))
        ++next;
      rail.index = next;
      taken.insert(next);
      if (static_cast<std::size_t>(next) < expected->sites.size())
        rail.site = &expected->sites[static_cast<std::size_t>(next)];
    }
    for (auto& rail : rails) {
      if (!rail.site) continue;
      rail.gateway = rail.site->gateway;
      if (rail.site->first_is_gateway && !rail.addresses.empty() && rail.addresses.front().length < 31)
        rail.gateway = Ipv4{rail.addresses.front().network().address.bits + 1};
    }
    std::ranges::sort(rails, {}, &Rail::index);
  } else {
    for (std::size_t i = 0; i < rails.size(); ++i)
      rails[i].index = static_cast<int>(i);
  }
  return rails;
}

Read<std::vector<Rail>> read_rails(const Host& host, const Policy& policy) {
  using Rails = std::vector<Rail>;
  const auto& devices = host.rdma_devices();
  if (!devices) return Read<Rails>::unreadable(devices.why);
  if (devices->empty()) return Read<Rails>::not_there("there is no RDMA device");
  const auto& links = host.links();
  if (!links) return Read<Rails>::unreadable("interfaces: " + links.why);
  const auto& addresses = host.addresses();
  if (!addresses) return Read<Rails>::unreadable("addresses: " + addresses.why);
  RailInputs inputs{*devices, *links, *addresses, {}, {}};
  for (const auto& device : *devices) {
    const auto rate = host.files().text(port_path(device.name) + "rate");
    inputs.rates.push_back(rate ? leading_number(*rate).value_or(0) : 0);
  }
  if (const auto& routes = host.routes())
    for (const auto& route : *routes)
      if (route.is_default() && route.table == RT_TABLE_MAIN && route.oif)
        for (const auto& link : *links)
          if (link.index == *route.oif) inputs.default_device = link.name;
  auto rails = choose_rails(inputs, expectation(policy));
  if (rails.empty())
    return Read<Rails>::not_there("no RDMA device has an interface in this network namespace");
  return Read<Rails>::of(std::move(rails));
}

std::vector<RailNic> rail_nics(const Host& host, const std::vector<Rail>& rails) {
  std::vector<RailNic> nics;
  for (const auto& rail : rails) {
    RailNic nic{rail.name(), rail.rdma, rail.pci, rail.link};
    for (const auto& device : *host.rdma_devices()) {
      if (device.name != rail.rdma || !device.is_vf()) continue;
      nic.pci = device.parent;
      nic.link.reset();
      if (const auto netdevs = host.files().list("/sys/bus/pci/devices/" + nic.pci + "/net"))
        for (const auto& link : *host.links())
          if (std::ranges::find(*netdevs, link.name) != netdevs->end()) nic.link = link;
    }
    nics.push_back(std::move(nic));
  }
  return nics;
}

std::optional<std::vector<Rail>> rails_or_say(const Host& host, const Policy& policy,
                                              CheckFindings& findings) {
  auto rails = read_rails(host, policy);
  if (rails) return std::move(rails.value);
  const auto wanted = expected_rails(policy);
  const std::string source = "/sys/class/infiniband, RTM_GETLINK";
  const std::string expected = wanted ? std::to_string(*wanted) + " rails" : std::string();
  if (!rails.missing()) {
    findings.unknown("rails", rails.why, expected, source,
                     "run on the node itself, or capture it again with: mlc-bench capture DIR");
  } else if (wanted && *wanted > 0 && findings.check() == "pci.inventory") {
    // One cause, one failure: the checks of what is not there could not be made.
    findings.fail("rails", "no rail: " + rails.why, expected, source,
                  "lspci -d 15b3: must list the NICs (if not: power-cycle, reseat, RMA); then load their "
                  "driver: modprobe mlx5_ib; dmesg | grep mlx5_core");
  } else if (wanted && *wanted > 0) {
    findings.unknown("rails", "no rail to look at: " + rails.why, expected, source,
                     "see pci.inventory first");
  } else {
    findings.skip("rails", "no rails on this machine: " + rails.why, source);
  }
  return std::nullopt;
}

bool has_link(const Link& link) { return link.up() && link.carrier.value_or(1) != 0; }

std::optional<std::vector<Rail>> rails_up_or_say(const Host& host, const Policy& policy,
                                                 CheckFindings& findings) {
  auto rails = rails_or_say(host, policy, findings);
  if (!rails) return rails;
  const auto nics = rail_nics(host, *rails);
  std::vector<Rail> up;
  for (std::size_t i = 0; i < rails->size(); ++i) {
    const Rail& rail = (*rails)[i];
    if (has_link(*rail.link) && (!nics[i].link || has_link(*nics[i].link)))
      up.push_back(rail);
    else
      findings.unknown(rail.name(), "its link is down", "", "RTM_GETLINK of " + rail.netdev,
                       "see rdma.port-state first");
  }
  return up;
}

}  // namespace mlc
