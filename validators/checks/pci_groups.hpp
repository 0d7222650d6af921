// Which GPUs share a PCIe switch with which NICs. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace mlc {

struct PciPlace {
  std::vector<std::string> bridges;  // from the root port down
  std::optional<int> numa;           // empty where the machine does not say (-1)
};

// What is directly below one switch: it has a GPU and a NIC below it, and none of its switches is one for
// these devices. A bridge that has only NICs below it (of a card with two ports, of a NIC with a switch of
// its own) or only GPUs is no place of its own.
struct PciGroup {
  std::vector<std::size_t> nics, gpus;  // positions in what pci_groups() was given; either may be empty
  bool by_numa = false;                 // no bridge has a GPU and a NIC below it: devices of one NUMA node
};

struct PciGroups {
  std::vector<PciGroup> groups;
  // Below no such switch, where others are; or without any, and of no known NUMA node.
  std::vector<std::size_t> apart_nics, apart_gpus;
};

PciGroups pci_groups(const std::vector<PciPlace>& nics, const std::vector<PciPlace>& gpus);

}  // namespace mlc
