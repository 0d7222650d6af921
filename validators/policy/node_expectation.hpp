// The `node:` section of a policy: what one node should look like. What is left out is judged by
// self-consistency alone (rails alike, a link at its own maximum) or not asked for.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "validators/host/ipv4.hpp"
#include "validators/policy/rail_selector.hpp"
#include "validators/policy/yaml_reader.hpp"

namespace mlc {

// One rail of this site. Without `rails.select` a rail is known by its prefix.
struct RailExpectation {
  // All of one family.
  IpPrefix prefix;                     // the addresses of this node's side: 10.10.0.0/16, 2001:db8:a::/48
  std::optional<IpAddress> gateway;    // next hop to the destinations; empty: on link
  std::vector<IpPrefix> destinations;  // what must be reached through this rail besides its own prefix
  bool first_is_gateway = false;  // the gateway is the first address of the node's own subnet on this rail
  bool operator==(const RailExpectation&) const = default;
};

struct NodeExpectation {
  // What is asked, by its place in the YAML: "rails.count", "lock". How it is asked (skip, deadlines, ...)
  // is not among them.
  std::set<std::string> keys;

  // NICs and rails
  std::optional<int> rails;
  std::optional<double> rail_gbit_s;
  std::optional<int> active_mtu;        // RDMA path MTU
  std::optional<int> netdev_mtu;        // at least
  std::vector<RailExpectation> sites;   // YAML: rails.addresses
  RailSelectors select;                 // by what else the rails are known
  std::string link_layer;               // "Ethernet" or "InfiniBand"; empty: each port by its own rules
  std::optional<unsigned> pkey;         // InfiniBand: the partition that jobs use
  std::optional<bool> host_addresses;   // the PFs have addresses themselves, not only VFs in Pods
  std::string nic_board, nic_firmware;  // exact; empty: all rails alike is enough
  std::optional<int> max_read_request;  // bytes, at least
  std::optional<bool> relaxed_ordering;
  std::optional<double> nic_link_gt_s, gpu_link_gt_s;
  std::optional<int> nic_link_width, gpu_link_width;
  std::optional<int> gpus_per_nic;
  double counters_over_s = 0.25;       // deltas are taken over this time
  bool cross_rail = false;             // rail i must also reach rail j of a peer
  std::optional<bool> rdma_exclusive;  // netns mode
  bool gpudirect = false;
  std::optional<std::uint64_t> register_bytes;

  // Lossless Ethernet
  std::optional<unsigned> pfc_mask;  // a bit per priority
  std::optional<unsigned> dscp, dscp_priority;
  bool ecn = false;

  // VFs, seen from the PF
  std::optional<int> vfs_per_pf;
  std::optional<bool> vf_trust, vf_spoof_check;
  std::optional<unsigned> vf_vlan, vf_max_rate;
  bool vf_mac = false;  // every VF has an admin MAC
  std::string eswitch;  // "legacy" or "switchdev"

  // Pod
  std::optional<int> attachments;
  std::string podinfo = "/etc/podinfo";  // downward API volume
  double annotation_wait_s = 0;
  std::vector<std::string> resources;  // device-plugin variables that must be there: PCIDEVICE_MLC_IO_RAIL0

  // Overlay
  std::string default_device;       // must carry the default route; empty: any device that is no rail
  std::string vxlan_device;         // "cilium_vxlan"
  std::optional<int> underlay_mtu;  // for Pods, which cannot see it
  int vxlan_overhead = 50;          // bytes: outer Ethernet 14, IPv4 20, UDP 8, VXLAN 8

  // GPUs
  std::optional<int> gpus;
  std::string gpu_product, driver;  // product: part of the name; driver: exact
  std::optional<int> nvlinks;       // per GPU
  std::optional<bool> fabric, persistence;
  std::optional<int> sm_clock_max;  // MHz, at least
  bool ecc = false;

  // Host
  bool memlock_unlimited = false;
  std::optional<std::uint64_t> nofile, shm_bytes, huge_pages;
  std::optional<double> clock_offset_s;
  std::optional<int> disks;
  std::optional<std::uint64_t> disk_bytes;    // each, at least
  std::map<std::string, std::string> mounts;  // mount point -> file system type; empty type: any
  bool hostname_resolves = false;
  std::vector<std::string> resolve;  // names that must resolve

  // Image drift
  std::string lock;  // path of the lock file; empty: not asked

  // Probes: packets of our own, sent only where asked
  bool probe_gateways = false, probe_duplicates = false, probe_path_mtu = false;
  std::vector<std::vector<Ipv4>> peers;  // per peer, its rail addresses in rail order

  // Running
  std::set<std::string> skip;                       // checks or rooms that are not asked for
  std::set<std::string> skip_in_pod, skip_on_host;  // nor these, there: what cannot be seen from that side
  double deadline_s = 5;
  std::map<std::string, double> deadlines_s;  // per check
  bool operator==(const NodeExpectation&) const = default;
};

// Is anything asked, or only said how?
inline bool asks(const std::optional<NodeExpectation>& node) { return node && !node->keys.empty(); }

// Does it ask anything of that section? "rails.", "gpus.".
inline bool asks_of(const NodeExpectation& node, std::string_view section) {
  return std::ranges::any_of(node.keys, [&](const std::string& key) { return key.starts_with(section); });
}

// The policy says which devices its rails are; then nothing that was only guessed satisfies it.
inline bool names_rails(const NodeExpectation& node) {
  return !node.select.each.empty() || !node.sites.empty();
}

NodeExpectation read_node_expectation(YamlMap map);  // throws PolicyError

}  // namespace mlc
