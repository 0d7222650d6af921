#include "validators/checks/pci_groups.hpp"

#include <map>

namespace mlc {

namespace {

struct Below {
  bool nic = false, gpu = false;
};

// The innermost of its bridges that has both below it; empty where none has.
std::string home_of(const PciPlace& place, const std::map<std::string, Below>& bridges) {
  for (auto bridge = place.bridges.rbegin(); bridge != place.bridges.rend(); ++bridge)
    if (const auto& below = bridges.at(*bridge); below.nic && below.gpu) return *bridge;
  return {};
}

}  // namespace

PciGroups pci_groups(const std::vector<PciPlace>& nics, const std::vector<PciPlace>& gpus) {
  std::map<std::string, Below> bridges;
  for (const auto& nic : nics)
    for (const auto& bridge : nic.bridges)
      bridges[bridge].nic = true;
  for (const auto& gpu : gpus)
    for (const auto& bridge : gpu.bridges)
      bridges[bridge].gpu = true;
  bool any = false;
  for (const auto& [bridge, below] : bridges)
    any = any || (below.nic && below.gpu);

  PciGroups all;
  std::map<std::string, std::size_t> known;
  const auto place = [&](const PciPlace& one, std::size_t i, std::vector<std::size_t> PciGroup::*kind,
                         std::vector<std::size_t>& apart) {
    std::string home = home_of(one, bridges);
    if (!any && one.numa) home = "NUMA node " + std::to_string(*one.numa);
    if (home.empty()) {
      apart.push_back(i);
      return;
    }
    const auto [group, is_new] = known.emplace(home, all.groups.size());
    if (is_new) all.groups.push_back({.nics = {}, .gpus = {}, .by_numa = !any});
    (all.groups[group->second].*kind).push_back(i);
  };
  for (std::size_t i = 0; i < nics.size(); ++i)
    place(nics[i], i, &PciGroup::nics, all.apart_nics);
  for (std::size_t i = 0; i < gpus.size(); ++i)
    place(gpus[i], i, &PciGroup::gpus, all.apart_gpus);
  return all;
}

}  // namespace mlc
