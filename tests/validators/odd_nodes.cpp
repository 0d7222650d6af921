#include "tests/validators/odd_nodes.hpp"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstdio>

namespace mlc::test {

namespace {

namespace fs = std::filesystem;
using Node = std::unique_ptr<BuiltNode>;

std::string number(int value) { return std::to_string(value); }
std::string rail_ip(int rail) { return "10." + number(10 + rail) + ".0.21"; }

void drop_rail_networks(BuiltNode& node, int rail) {
  const int oif = node.rail_link(rail).index;
  std::erase_if(node.routes, [&](const BuiltRoute& route) { return route.oif == oif; });
  node.rail_link(rail).addresses.clear();
}

}  // namespace

void drop_nic(BuiltNode& node, int rail) {
  drop_rail_networks(node, rail);
  std::erase_if(node.links, [&](const BuiltLink& link) { return link.name == node.netdev(rail); });
  node.remove("/sys/class/infiniband/" + node.rdma(rail));
  node.remove("/sys/class/net/" + node.netdev(rail));
  node.remove("/sys/bus/pci/devices/" + node.pf(rail));
  node.remove(node.pci(node.pf(rail)));
}

void add_storage_nic(BuiltNode& node) {
  const std::string port = "0000:5d:01.0", nic = "0000:5e:00.0", above = "/sys/devices/pci0000:5d/" + port;
  node.pci_device(port, above, 0x8086, 0x352a, 0x060400, "32.0 GT/s PCIe", 16);
  node.pci_device(nic, above + "/" + nic, 0x15b3, 0x1021, 0x020000, "16.0 GT/s PCIe", 16);
  node.rdma_device(nic, "mlx5_9", "storage0", 940, "02:00:00:00:09:01", false);
  node.links.back().addresses = {*parse_prefix("192.168.50.21/24")};
  node.file(node.pci(nic) + "/sriov_numvfs", "0\n");
  node.file(node.pci(nic) + "/sriov_totalvfs", "128\n");
  const std::string base = node.pci(nic) + "/infiniband/mlx5_9/ports/1/";
  node.file(base + "gids/0", "0000:0000:0000:0000:0000:ffff:c0a8:3215\n");
  node.file(base + "gid_attrs/types/0", "RoCE v2\n");
  node.file(base + "gid_attrs/ndevs/0", "storage0\n");
  node.routes.push_back({*parse_prefix("192.168.50.0/24"), 940, {}});
}

namespace {

Node fifth_nic() {
  auto node = std::make_unique<BuiltNode>(0);
  add_storage_nic(*node);
  return node;
}

// Its port has no light; such a port says 10 Gbit/s, so by number and speed the storage NIC was the better
// rail.
Node dead_rail() {
  auto node = fifth_nic();
  node->file(node->port(2) + "state", "1: DOWN\n");
  node->file(node->port(2) + "phys_state", "2: Polling\n");
  node->file(node->port(2) + "rate", "10 Gb/sec (4X SDR)\n");
  return node;
}

// Fell off the bus.
Node gone_rail() {
  auto node = fifth_nic();
  drop_nic(*node, 2);
  return node;
}

Node infiniband() {
  auto node = std::make_unique<BuiltNode>(0);
  for (int rail = 0; rail < BuiltNode::rails; ++rail) {
    drop_rail_networks(*node, rail);
    std::erase_if(node->links, [&](const BuiltLink& link) { return link.name == node->netdev(rail); });
    node->remove("/sys/class/net/" + node->netdev(rail));
    node->remove("/later/sys/class/net/" + node->netdev(rail));
    node->remove(node->pci(node->pf(rail)) + "/net");
    node->remove("/later" + node->pci(node->pf(rail)) + "/net");
    node->remove(node->pci(node->pf(rail)) + "/sriov_numvfs");
    node->remove(node->pci(node->pf(rail)) + "/sriov_totalvfs");
    const std::string port = node->port(rail);
    node->remove(port + "gids"), node->remove(port + "gid_attrs");
    node->file(port + "link_layer", "InfiniBand\n");
    node->file(port + "lid", "0x" + number(21 + rail) + "\n");
    node->file(port + "sm_lid", "0x1\n");
    node->file(port + "pkeys/0", "0xffff\n"), node->file(port + "pkeys/1", "0x8001\n");
    node->file(port + "pkeys/2", "0x0000\n");
    node->file(port + "gids/0", "fe80:0000:0000:0000:a088:c203:00d1:002" + number(rail) + "\n");
    node->file(port + "gid_attrs/types/0", "IB/RoCE v1\n");
  }
  return node;
}

// One rail without a subnet manager, one left out of the partition, one a limited member of it.
Node infiniband_faults() {
  auto node = infiniband();
  node->file(node->port(0) + "state", "2: INIT\n");
  node->file(node->port(0) + "lid", "0x0\n"), node->file(node->port(0) + "sm_lid", "0x0\n");
  node->remove(node->port(1) + "pkeys/1");
  node->file(node->port(2) + "pkeys/1", "0x0001\n");
  return node;
}

// mlx5 LAG: the two ports of each card are one RDMA device, whose addresses are on the bond.
Node bond() {
  auto node = std::make_unique<BuiltNode>(0);
  for (int rail = 0; rail < BuiltNode::rails; ++rail) {
    const std::string pf = node->pf(rail), first = node->netdev(rail), bond = "bond" + number(rail);
    const std::string second_pf = pf.substr(0, pf.size() - 1) + "1", name = "mlx5_bond_" + number(rail);
    std::string second = first;
    second.replace(second.find("np0"), 3, "np1"), second.replace(second.find("f0"), 2, "f1");
    const int index = 50 + rail;
    node->pci_device(second_pf, fs::path(node->pci(pf)).parent_path().string() + "/" + second_pf, 0x15b3,
                     0x1021, 0x020000, "16.0 GT/s PCIe", 16);
    node->file(node->pci(second_pf) + "/net/" + second + "/carrier_changes", "1\n");
    node->file("/later" + node->pci(second_pf) + "/net/" + second + "/carrier_changes", "1\n");
    for (const char* tree : {"", "/later"})
      node->link(tree + ("/sys/class/net/" + second),
                 "../.." + (node->pci(second_pf) + "/net/" + second).substr(4));
    // The RDMA device by its new name.
    for (const char* tree : {"", "/later"}) {
      const std::string folder = tree + node->pci(pf) + "/infiniband/";
      fs::rename(node->root() + folder + node->rdma(rail), node->root() + folder + name);
      node->remove(tree + ("/sys/class/infiniband/" + node->rdma(rail)));
      node->link(tree + ("/sys/class/infiniband/" + name),
                 "../.." + (node->pci(pf) + "/infiniband/" + name).substr(4));
    }
    const std::string virtual_net = "/sys/devices/virtual/net/" + bond;
    node->file(virtual_net + "/bonding/slaves", first + " " + second + "\n");
    node->file(virtual_net + "/speed", "400000\n"), node->file(virtual_net + "/carrier_changes", "1\n");
    node->link("/sys/class/net/" + bond, "../../devices/virtual/net/" + bond);
    node->link(node->pci(pf) + "/net/" + first + "/master", virtual_net);
    node->link(node->pci(second_pf) + "/net/" + second + "/master", virtual_net);
    for (int i = 0; i < 4; ++i)
      node->file(node->pci(pf) + "/infiniband/" + name + "/ports/1/gid_attrs/ndevs/" + number(i),
                 bond + "\n");
    const auto addresses = node->rail_link(rail).addresses;
    for (auto& route : node->routes)
      if (route.oif == node->rail_link(rail).index) route.oif = index;
    node->rail_link(rail).addresses.clear();
    node->links.push_back({index + 10, second, node->rail_link(rail).mac, "", second_pf, 9000, 0x11843, {}});
    node->links.push_back({index, bond, node->rail_link(rail).mac, "bond", "", 9000, 0x11443, addresses});
    for (const char* setting : {"rp_filter", "arp_ignore", "arp_announce"})
      node->file("/proc/sys/net/ipv4/conf/" + bond + "/" + setting, "0\n");
    for (const int size : {84, 4220})
      node->answer("icmp", bond + " " + rail_ip(rail) + " 10." + number(10 + rail) + ".0.1 " + number(size),
                   {{"replied", true}, {"local_error", ""}});
    node->answer("arp", bond + " " + rail_ip(rail), {{"macs", nlohmann::json::array()}});
    node->pfc[second] = 1u << 3, node->dscp[second] = {{26, 3}};
    node->file(node->pci(second_pf) + "/net/" + second + "/qos/trust", "dscp\n");
    for (const char* side : {"roce_rp", "roce_np"})
      node->file(node->pci(second_pf) + "/net/" + second + "/ecn/" + side + "/enable/3", "1\n");
  }
  auto verbs = nlohmann::json::array();
  for (int rail = 0; rail < BuiltNode::rails; ++rail)
    verbs.push_back({{"device", "mlx5_bond_" + number(rail)},
                     {"port", 1},
                     {"active_mtu", 4096},
                     {"max_mtu", 4096},
                     {"dmabuf", "supported"}});
  node->answer("verbs", "", verbs);
  return node;
}

// The bond carries on with one member, and its RDMA device is ACTIVE.
Node bond_member_down() {
  auto node = bond();
  std::ranges::find(node->links, "ens2f1np1", &BuiltLink::name)->flags = 0x1802;
  return node;
}

// SR-IOV is off in the firmware.
Node pf_only() {
  auto node = std::make_unique<BuiltNode>(0);
  for (int rail = 0; rail < BuiltNode::rails; ++rail)
    for (const char* file : {"/sriov_numvfs", "/sriov_totalvfs"})
      node->remove(node->pci(node->pf(rail)) + file);
  return node;
}

// Only VFs, in Pods, have addresses.
Node pf_without_address() {
  auto node = std::make_unique<BuiltNode>(1);
  for (int rail = 0; rail < BuiltNode::rails; ++rail) {
    drop_rail_networks(*node, rail);
    for (const char* row : {"2", "3"})
      node->file(node->port(rail) + "gids/" + row, "0000:0000:0000:0000:0000:0000:0000:0000\n");
  }
  return node;
}

// A virtual machine: VFs without their PF, whose PCIe link does not train.
Node vf_only() {
  auto node = pf_only();
  for (int rail = 0; rail < BuiltNode::rails; ++rail) {
    node->file(node->pci(node->pf(rail)) + "/device", "0x101e\n");
    for (const char* which : {"/current_link_", "/max_link_"}) {
      node->file(node->pci(node->pf(rail)) + which + "speed", "Unknown\n");
      node->file(node->pci(node->pf(rail)) + which + "width", "0\n");
    }
    node->pfc.erase(node->netdev(rail)), node->dscp.erase(node->netdev(rail));
  }
  return node;
}

Node source_routing() {
  auto node = std::make_unique<BuiltNode>(0);
  for (int rail = 0; rail < BuiltNode::rails; ++rail) {
    const int oif = node->rail_link(rail).index;
    const unsigned table = 100 + static_cast<unsigned>(rail);
    std::erase_if(node->routes,
                  [&](const BuiltRoute& route) { return route.oif == oif && route.gateway.has_value(); });
    node->routes.push_back({std::nullopt, oif, parse_ipv4("10." + number(10 + rail) + ".0.1"), table});
    node->routes.push_back({*parse_prefix("10." + number(10 + rail) + ".0.0/24"), oif, {}, table});
    node->rules.push_back({1000 + table, table, *parse_prefix(rail_ip(rail) + "/32"), {}});
  }
  return node;
}

Node ipv6_only() {
  auto node = std::make_unique<BuiltNode>(0);
  std::string inet6;
  for (int rail = 0; rail < BuiltNode::rails; ++rail) {
    drop_rail_networks(*node, rail);
    const std::string letter(1, static_cast<char>('a' + rail));
    inet6 += "20010db8000" + letter + "00000000000000000015 03 40 00 80 " + node->netdev(rail) + "\n" +
             "fe8000000000000000000" + "0fffe00000" + number(rail) + " 03 40 20 80 " + node->netdev(rail) +
             "\n";
    node->file(node->port(rail) + "gids/2", "2001:0db8:000" + letter + ":0000:0000:0000:0000:0015\n");
    node->file(node->port(rail) + "gids/3", "2001:0db8:000" + letter + ":0000:0000:0000:0000:0015\n");
    const std::string own = "2001:db8:" + letter + ":";
    const int index = node->rail_link(rail).index;
    node->routes.push_back({*parse_ip_prefix(own + ":/64"), index, {}});
    node->routes.push_back({*parse_ip_prefix(own + ":15/128"), index, {}, RT_TABLE_LOCAL, RTN_LOCAL});
    node->routes.push_back({*parse_ip_prefix("2001:db8:1" + letter + "::/48"), index, parse_ip(own + ":1")});
  }
  node->file("/proc/net/if_inet6", inet6);
  return node;
}

// A link-local address beside the rail's own on every port, and on one port a third of another network.
Node several_addresses() {
  auto node = std::make_unique<BuiltNode>(0);
  for (int rail = 0; rail < BuiltNode::rails; ++rail) {
    auto& own = node->rail_link(rail).addresses;
    own.insert(own.begin(), *parse_prefix("169.254." + number(20 + rail) + ".7/16"));
  }
  node->rail_link(1).addresses.insert(node->rail_link(1).addresses.begin(), *parse_prefix("172.20.0.5/24"));
  node->routes.push_back({*parse_prefix("172.20.0.0/24"), node->rail_link(1).index, {}});
  node->answer("arp", node->netdev(1) + " 172.20.0.5", {{"macs", nlohmann::json::array()}});
  return node;
}

// DHCP did not answer on one rail.
Node only_link_local() {
  auto node = several_addresses();
  drop_rail_networks(*node, 2);
  node->rail_link(2).addresses = {*parse_prefix("169.254.22.7/16")};
  for (const char* row : {"2", "3"})
    node->file(node->port(2) + "gids/" + row, "0000:0000:0000:0000:0000:ffff:a9fe:1607\n");
  return node;
}

}  // namespace

const std::vector<OddNode>& odd_nodes() {
  static const std::vector<OddNode> nodes{
      {"fifth_nic", "roce", fifth_nic, {}},
      {"dead_rail", "roce", dead_rail, {"rdma.port-state"}},
      {"gone_rail", "roce", gone_rail, {"pci.inventory"}},
      {"infiniband", "infiniband", infiniband, {}},
      {"infiniband_faults", "infiniband", infiniband_faults, {"rdma.port-state"}},
      {"bond", "roce", bond, {}},
      {"bond_member_down", "roce", bond_member_down, {"rdma.port-state"}},
      {"pf_only", "roce", pf_only, {}},
      {"pf_without_address", "pods_have_addresses", pf_without_address, {}},
      {"vf_only", "roce", vf_only, {}},
      // The routes beyond the rail's own subnet are default routes of its own table.
      {"source_routing", "roce", source_routing, {}},
      {"ipv6_only", "ipv6", ipv6_only, {}},
      {"several_addresses", "roce", several_addresses, {}},
      {"only_link_local",
       "roce",
       only_link_local,
       {"rdma.gid-table", "net.rail-prefixes", "net.rail-routes", "net.rules", "net.reachability"}},
  };
  return nodes;
}

}  // namespace mlc::test
