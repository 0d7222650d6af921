// By what a policy knows its rails: `node.rails.select`. One mapping describes them all; a list describes
// each, in rail order. Of the values of one key any will do, and every key that is given has to fit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "validators/host/ip_address.hpp"
#include "validators/policy/yaml_reader.hpp"

namespace mlc {

struct RailSelector {
  std::vector<std::string> interfaces, devices;  // shell patterns: "ens*f0np0", "mlx5_[0-3]"
  std::vector<std::string> pci;                  // shell patterns of the NIC's address; of a VF, its PF's
  std::vector<std::uint64_t> vendors, models;    // PCI IDs: 0x15b3, 0x1021
  std::vector<Prefix> subnets;
  std::vector<IpPrefix> subnets6;
  std::vector<int> numa;
  bool near_any_gpu = false;  // shares a PCIe bridge with a GPU
  std::vector<int> gpus;      // with one of these, counted in PCI order
  std::string resource;       // of the SR-IOV device plugin: "mlc.io/rail2"; known in a Pod only
  std::string network;        // of Multus' network-status annotation: "bench/rail2"; known in a Pod only

  bool near_gpu() const { return near_any_gpu || !gpus.empty(); }
  bool by_hardware_or_name() const;        // has a key that does not need a Pod
  std::vector<std::string> names() const;  // as the policy has them: {"0000:4a:00.0", "eth6"}
  bool operator==(const RailSelector&) const = default;
};

struct RailSelectors {
  std::vector<RailSelector> each;  // one a rail; or one for all
  bool of_all = false;
  bool operator==(const RailSelectors&) const = default;
};

// The key `select` of `rails`; empty where it is not given. Throws PolicyError.
RailSelectors read_rail_selectors(YamlMap& rails);

}  // namespace mlc
