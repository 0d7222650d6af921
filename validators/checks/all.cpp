#include "validators/checks/all.hpp"

#include <array>

namespace mlc {

namespace checks {
extern const Check pci_inventory, pci_link, pci_errors, pci_max_read_request, pci_relaxed_ordering, pci_acs,
    pci_affinity;
extern const Check rdma_port_state, rdma_flaps, rdma_counters, rdma_gid_table, rdma_mtu, rdma_namespace,
    rdma_gpudirect, rdma_memlock;
extern const Check net_rail_routes, net_rules, net_sysctls, net_rail_prefixes, net_default_route,
    net_reachability, net_path_mtu, net_rail_matrix, net_duplicate_address;
extern const Check lossless_pfc, lossless_dscp, lossless_ecn;
extern const Check vf_count, vf_trust, vf_spoof_check, vf_link_state, vf_vlan, vf_rate, vf_mac, vf_orphans,
    vf_eswitch_mode;
extern const Check pod_attachment, pod_devices;
extern const Check ipam_duplicates, ipam_leaks;
extern const Check overlay_default_route, overlay_mtu;
extern const Check gpu_count, gpu_ecc, gpu_row_remap, gpu_xid, gpu_throttle, gpu_clocks, gpu_persistence,
    gpu_pcie_link, gpu_nvlink, gpu_fabric, gpu_mig, gpu_driver;
extern const Check image_drift;
extern const Check host_limits, host_shm, host_huge_pages, host_clock, host_disks, host_mounts, host_name;
}  // namespace checks

std::span<const Check* const> all_checks() {
  // In the order of a screen: from the bus outwards, then what runs on it.
  static constexpr std::array table{
      &checks::pci_inventory,
      &checks::pci_link,
      &checks::pci_errors,
      &checks::pci_max_read_request,
      &checks::pci_relaxed_ordering,
      &checks::pci_acs,
      &checks::pci_affinity,
      &checks::rdma_port_state,
      &checks::rdma_flaps,
      &checks::rdma_counters,
      &checks::rdma_gid_table,
      &checks::rdma_mtu,
      &checks::rdma_namespace,
      &checks::rdma_gpudirect,
      &checks::rdma_memlock,
      &checks::net_rail_prefixes,
      &checks::net_rail_routes,
      &checks::net_default_route,
      &checks::net_rules,
      &checks::net_sysctls,
      &checks::net_reachability,
      &checks::net_path_mtu,
      &checks::net_rail_matrix,
      &checks::net_duplicate_address,
      &checks::lossless_pfc,
      &checks::lossless_dscp,
      &checks::lossless_ecn,
      &checks::vf_count,
      &checks::vf_trust,
      &checks::vf_spoof_check,
      &checks::vf_link_state,
      &checks::vf_vlan,
      &checks::vf_rate,
      &checks::vf_mac,
      &checks::vf_orphans,
      &checks::vf_eswitch_mode,
      &checks::pod_attachment,
      &checks::pod_devices,
      &checks::ipam_duplicates,
      &checks::ipam_leaks,
      &checks::overlay_default_route,
      &checks::overlay_mtu,
      &checks::gpu_count,
      &checks::gpu_ecc,
      &checks::gpu_row_remap,
      &checks::gpu_xid,
      &checks::gpu_throttle,
      &checks::gpu_clocks,
      &checks::gpu_persistence,
      &checks::gpu_pcie_link,
      &checks::gpu_nvlink,
      &checks::gpu_fabric,
      &checks::gpu_mig,
      &checks::gpu_driver,
      &checks::image_drift,
      &checks::host_limits,
      &checks::host_shm,
      &checks::host_huge_pages,
      &checks::host_clock,
      &checks::host_disks,
      &checks::host_mounts,
      &checks::host_name,
  };
  return table;
}

}  // namespace mlc
