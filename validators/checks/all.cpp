#include "validators/checks/all.hpp"

#include <array>

#include "reports/record/split.hpp"

namespace mlc {

// In the order of a screen: from the bus outwards, then what runs on it.
#define MLC_CHECKS(_)      \
  _(pci_inventory)         \
  _(pci_link)              \
  _(pci_errors)            \
  _(pci_max_read_request)  \
  _(pci_relaxed_ordering)  \
  _(pci_acs)               \
  _(pci_affinity)          \
  _(rdma_port_state)       \
  _(rdma_flaps)            \
  _(rdma_counters)         \
  _(rdma_gid_table)        \
  _(rdma_mtu)              \
  _(rdma_namespace)        \
  _(rdma_gpudirect)        \
  _(rdma_memlock)          \
  _(net_rail_prefixes)     \
  _(net_rail_routes)       \
  _(net_default_route)     \
  _(net_rules)             \
  _(net_sysctls)           \
  _(net_reachability)      \
  _(net_path_mtu)          \
  _(net_rail_matrix)       \
  _(net_duplicate_address) \
  _(lossless_pfc)          \
  _(lossless_dscp)         \
  _(lossless_ecn)          \
  _(vf_count)              \
  _(vf_trust)              \
  _(vf_spoof_check)        \
  _(vf_link_state)         \
  _(vf_vlan)               \
  _(vf_rate)               \
  _(vf_mac)                \
  _(vf_orphans)            \
  _(vf_eswitch_mode)       \
  _(pod_attachment)        \
  _(pod_devices)           \
  _(overlay_default_route) \
  _(overlay_mtu)           \
  _(gpu_count)             \
  _(gpu_ecc)               \
  _(gpu_row_remap)         \
  _(gpu_xid)               \
  _(gpu_throttle)          \
  _(gpu_clocks)            \
  _(gpu_persistence)       \
  _(gpu_pcie_link)         \
  _(gpu_nvlink)            \
  _(gpu_fabric)            \
  _(gpu_mig)               \
  _(gpu_driver)            \
  _(image_drift)           \
  _(host_limits)           \
  _(host_shm)              \
  _(host_huge_pages)       \
  _(host_clock)            \
  _(host_disks)            \
  _(host_mounts)           \
  _(host_name)

#define MLC_DECLARE(name) extern const Check name;
#define MLC_ADDRESS(name) &checks::name,

namespace checks {
MLC_CHECKS(MLC_DECLARE)
}  // namespace checks

std::span<const Check* const> all_checks() {
  static constexpr std::array table{MLC_CHECKS(MLC_ADDRESS)};
  return table;
}

std::vector<KnownCheck> known_checks() {
  std::vector<KnownCheck> known;
  for (const Check* check : all_checks())
    known.push_back({std::string(check->name), split(std::string(check->keys), ' ')});
  return known;
}

}  // namespace mlc
