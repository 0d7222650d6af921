#include "tests/validators/built_node.hpp"

#include <arpa/inet.h>
#include <linux/dcbnl.h>
#include <linux/devlink.h>
#include <linux/fib_rules.h>
#include <linux/genetlink.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <rdma/rdma_netlink.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "reports/faces/findings_text.hpp"
#include "validators/checks/all.hpp"
#include "validators/checks/validate.hpp"
#include "validators/host/netlink_socket.hpp"

namespace mlc::test {

namespace fs = std::filesystem;

namespace {

template <class... Values>
std::string format(const char* pattern, Values... values) {
  char text[256];
  std::snprintf(text, sizeof text, pattern, values...);
  return text;
}

constexpr int buses[]{0x17, 0x37, 0x97, 0xb7};

std::string mac_bytes(const std::string& mac) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < mac.size(); i += 3)
    bytes += *unhex(mac.substr(i, 2));
  return bytes;
}

template <class T>
std::string raw(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

// Answers from memory; routes and links from the node's own tables, as the kernel would.
class BuiltMachine : public Machine {
 public:
  std::vector<BuiltLink> links;
  std::vector<BuiltRoute> routes;
  std::vector<BuiltRule> rules;
  std::map<int, std::vector<BuiltVf>> vfs;
  std::map<std::string, unsigned> pfc;
  std::map<std::string, std::map<unsigned, unsigned>> dscp;
  std::optional<int> links_error;
  std::map<std::pair<std::string, std::string>, Answer> answers;

  Answer ask(const std::string& kind, const std::string& key) const override {
    if (const auto found = answers.find({kind, key}); found != answers.end()) return found->second;
    if (kind == "netlink")
      if (const auto request = NetlinkRequest::from_key(key)) return netlink(*request);
    return {ENODATA, kind + " " + key + " has no answer on this built node", nullptr};
  }

 private:
  static Answer messages(const std::vector<NetlinkMessage>& all) { return {0, {}, messages_json(all)}; }

  NetlinkMessage link_message(const BuiltLink& link, bool with_vfs) const {
    ifinfomsg header{};
    header.ifi_index = link.index;
    header.ifi_flags = link.flags;
    NetlinkPayload payload(header);
    payload.put_text(IFLA_IFNAME, link.name)
        .put_u32(IFLA_MTU, link.mtu)
        .put(IFLA_ADDRESS, mac_bytes(link.mac));
    payload.put_u8(IFLA_OPERSTATE, 6).put_u8(IFLA_CARRIER, 1);
    if (!link.kind.empty()) payload.nest(IFLA_LINKINFO, NetlinkPayload().put_text(IFLA_INFO_KIND, link.kind));
    if (!link.pci.empty())
      payload.put_text(IFLA_PARENT_DEV_NAME, link.pci).put_text(IFLA_PARENT_DEV_BUS_NAME, "pci");
    const auto own = vfs.find(link.index);
    if (with_vfs && own != vfs.end()) {
      payload.put_u32(IFLA_NUM_VF, static_cast<std::uint32_t>(own->second.size()));
      NetlinkPayload list;
      for (const auto& vf : own->second) {
        NetlinkPayload one;
        ifla_vf_mac mac{};
        mac.vf = vf.index;
        const std::string bytes = mac_bytes(vf.mac);
        std::memcpy(mac.mac, bytes.data(), std::min(bytes.size(), sizeof mac.mac));
        one.put(IFLA_VF_MAC, raw(mac)).put(IFLA_VF_VLAN, raw(ifla_vf_vlan{vf.index, vf.vlan, 0}));
        one.put(IFLA_VF_RATE, raw(ifla_vf_rate{vf.index, 0, vf.max_rate}))
            .put(IFLA_VF_SPOOFCHK, raw(ifla_vf_spoofchk{vf.index, vf.spoof_check}));
        one.put(IFLA_VF_LINK_STATE, raw(ifla_vf_link_state{vf.index, vf.link_state}))
            .put(IFLA_VF_TRUST, raw(ifla_vf_trust{vf.index, vf.trust}));
        // As the kernel does since 4.9; a nested attribute does not open with the index of the VF.
        NetlinkPayload vlans;
        vlans.put(IFLA_VF_VLAN_INFO, raw(ifla_vf_vlan_info{vf.index, vf.vlan, 0, 0x0081}));
        one.nest(IFLA_VF_VLAN_LIST, vlans);
        list.nest(IFLA_VF_INFO, one);
      }
      payload.nest(IFLA_VFINFO_LIST, list);
    }
    return {RTM_NEWLINK, payload.bytes()};
  }

  static IpFamily family_of(const BuiltRoute& route) {
    return route.destination ? route.destination->family() : IpFamily::v4;
  }
  // The header of every request of routes and rules begins with the family.
  static IpFamily family_of(const NetlinkRequest& request) {
    return request.payload.front() == AF_INET6 ? IpFamily::v6 : IpFamily::v4;
  }

  static NetlinkMessage route_message(const BuiltRoute& route) {
    rtmsg header{};
    header.rtm_family = family_of(route) == IpFamily::v4 ? AF_INET : AF_INET6;
    header.rtm_table = static_cast<unsigned char>(route.table < 256 ? route.table : RT_TABLE_COMPAT);
    header.rtm_type = static_cast<unsigned char>(route.type);
    header.rtm_scope = route.gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    header.rtm_dst_len = static_cast<unsigned char>(route.destination ? route.destination->length : 0);
    NetlinkPayload payload(header);
    payload.put_u32(RTA_TABLE, route.table);
    if (route.destination) payload.put(RTA_DST, ip_bytes(route.destination->address));
    if (route.oif > 0) payload.put_u32(RTA_OIF, static_cast<std::uint32_t>(route.oif));
    if (route.gateway) payload.put(RTA_GATEWAY, ip_bytes(*route.gateway));
    if (route.mtu > 0) payload.nest(RTA_METRICS, NetlinkPayload().put_u32(RTAX_MTU, route.mtu));
    return {RTM_NEWROUTE, payload.bytes()};
  }

  Answer lookup(const NetlinkRequest& request) const {
    rtmsg header;
    std::memcpy(&header, request.payload.data(), sizeof header);
    IpAddress destination;
    std::optional<IpAddress> source;
    int oif = 0;
    for_each_attribute(std::string_view(request.payload).substr(sizeof header),
                       [&](std::uint16_t type, std::string_view value) {
                         if (type == RTA_DST) destination = ip_from_bytes(value).value();
                         if (type == RTA_SRC) source = ip_from_bytes(value);
                         if (type == RTA_OIF) std::memcpy(&oif, value.data(), sizeof oif);
                       });
    const BuiltRoute* best = nullptr;
    // The rule of the source decides, where there is one; marks are of other packets.
    unsigned table = RT_TABLE_MAIN;
    for (const auto& rule : rules)
      if (rule.from && source && rule.from->contains(*source) && !rule.mark) table = rule.table;
    for (const unsigned id : {unsigned{RT_TABLE_LOCAL}, table})
      for (const auto& route : routes) {
        if (best && best->table != id) break;  // the local table comes first
        if (route.table != id || family_of(route) != destination.family ||
            (route.destination && !route.destination->contains(destination)) ||
            (oif > 0 && route.oif > 0 && route.oif != oif))
          continue;
        if (!best || (route.destination ? route.destination->length : 0) >
                         (best->destination ? best->destination->length : 0))
          best = &route;
      }
    if (best && best->type == RTN_LOCAL) return messages({route_message(*best)});
    // The trap: bound to a device and without FIB_MATCH the kernel assumes that the destination is on link.
    if ((!best || best->type != RTN_UNICAST) && oif > 0 && (header.rtm_flags & RTM_F_FIB_MATCH) == 0)
      return messages({route_message(
          {IpPrefix{destination, width(destination.family)}, oif, {}, RT_TABLE_MAIN, RTN_UNICAST, 0})});
    if (!best || best->type != RTN_UNICAST) return {EHOSTUNREACH, "No route to host", nullptr};
    return messages({route_message(*best)});
  }

  Answer netlink(const NetlinkRequest& request) const {
    if (request.protocol == "rdma")
      return messages({{0x1406, NetlinkPayload().put_u8(RDMA_NLDEV_SYS_ATTR_NETNS_MODE, 1).bytes()}});
    if (request.protocol == "devlink") {
      genlmsghdr header{};
      return messages(
          {{0x20, NetlinkPayload(header).put(DEVLINK_ATTR_ESWITCH_MODE, std::string(2, '\0')).bytes()}});
    }
    std::vector<NetlinkMessage> all;
    if (request.type == RTM_GETLINK && request.flags != 0) {
      if (links_error) return {*links_error, std::strerror(*links_error), nullptr};
      for (const auto& link : links)
        all.push_back(link_message(link, false));
    } else if (request.type == RTM_GETLINK) {
      if (links_error) return {*links_error, std::strerror(*links_error), nullptr};
      ifinfomsg header;
      std::memcpy(&header, request.payload.data(), sizeof header);
      for (const auto& link : links)
        if (link.index == header.ifi_index) all.push_back(link_message(link, true));
      if (all.empty()) return {ENODEV, "No such device", nullptr};
    } else if (request.type == RTM_GETADDR) {
      for (const auto& link : links)
        for (const auto& address : link.addresses) {
          ifaddrmsg header{};
          header.ifa_family = AF_INET;
          header.ifa_index = static_cast<unsigned>(link.index);
          header.ifa_prefixlen = static_cast<unsigned char>(address.length);
          all.push_back({RTM_NEWADDR, NetlinkPayload(header)
                                          .put_ipv4(IFA_ADDRESS, address.address)
                                          .put_ipv4(IFA_LOCAL, address.address)
                                          .bytes()});
        }
    } else if (request.type == RTM_GETROUTE && request.flags != 0) {
      for (const auto& route : routes)
        if (family_of(route) == family_of(request)) all.push_back(route_message(route));
    } else if (request.type == RTM_GETROUTE) {
      return lookup(request);
    } else if (request.type == RTM_GETRULE) {
      for (const auto& rule : rules) {
        const auto& prefix = rule.from ? rule.from : rule.to;
        // IPv6 has no table 'default' and no rule for it.
        if (prefix ? prefix->family() != family_of(request)
                   : family_of(request) == IpFamily::v6 && rule.table == RT_TABLE_DEFAULT)
          continue;
        fib_rule_hdr header{};
        header.family = static_cast<unsigned char>(request.payload.front());
        header.action = static_cast<unsigned char>(rule.action);
        header.flags = rule.inverted ? FIB_RULE_INVERT : 0;
        header.table = static_cast<unsigned char>(rule.table < 256 ? rule.table : 0);
        header.src_len = static_cast<unsigned char>(rule.from ? rule.from->length : 0);
        header.dst_len = static_cast<unsigned char>(rule.to ? rule.to->length : 0);
        NetlinkPayload payload(header);
        payload.put_u32(FRA_PRIORITY, rule.priority).put_u32(FRA_TABLE, rule.table);
        if (rule.from) payload.put(FRA_SRC, ip_bytes(rule.from->address));
        if (rule.to) payload.put(FRA_DST, ip_bytes(rule.to->address));
        if (rule.mark) payload.put_u32(FRA_FWMARK, *rule.mark);
        all.push_back({RTM_NEWRULE, payload.bytes()});
      }
    } else if (request.type == RTM_GETDCB) {
      std::string device;
      for_each_attribute(
          std::string_view(request.payload).substr(sizeof(dcbmsg)),
          [&](std::uint16_t, std::string_view value) { device = value.substr(0, value.find('\0')); });
      if (!pfc.contains(device) && !dscp.contains(device))
        return {EOPNOTSUPP, "Operation not supported", nullptr};
      NetlinkPayload ieee;
      if (pfc.contains(device)) {
        ieee_pfc value{};
        value.pfc_en = static_cast<unsigned char>(pfc.at(device));
        ieee.put(DCB_ATTR_IEEE_PFC, raw(value));
      }
      if (dscp.contains(device)) {
        NetlinkPayload table;
        for (const auto& [code, priority] : dscp.at(device))
          table.put(DCB_ATTR_IEEE_APP,
                    raw(dcb_app{IEEE_8021QAZ_APP_SEL_DSCP, static_cast<unsigned char>(priority),
                                static_cast<std::uint16_t>(code)}));
        ieee.nest(DCB_ATTR_IEEE_APP_TABLE, table);
      }
      all.push_back({RTM_GETDCB, NetlinkPayload(dcbmsg{}).nest(DCB_ATTR_IEEE, ieee).bytes()});
    } else if (request.type == RTM_GETNEIGH) {
    } else {
      return {EOPNOTSUPP, "Operation not supported", nullptr};
    }
    return messages(all);
  }
};

// 4096 bytes: a PCI Express capability with 4096-byte reads and relaxed ordering, ACS without redirection.
std::string config_space(unsigned vendor, unsigned acs_control = 0) {
  std::string config(4096, '\0');
  const auto put = [&config](std::size_t at, std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i)
      config[at + static_cast<std::size_t>(i)] = static_cast<char>(value >> (8 * i));
  };
  put(0, vendor, 2);
  put(0x34, 0x60, 1);
  put(0x60, 0x10, 1);
  put(0x60 + 8, 5u << 12 | 1u << 4, 2);
  put(0x100, 0x000du | 1u << 16, 4);
  put(0x106, acs_control, 2);
  return config;
}

nlohmann::json healthy_gpu(int index, const std::string& pci) {
  return {{"index", index},
          {"name", "NVIDIA H100 80GB HBM3"},
          {"uuid", format("GPU-%08d", index)},
          {"pci", pci},
          {"ecc_enabled", 1},
          {"ecc_uncorrected", 0},
          {"ecc_corrected", 0},
          {"remapped_correctable", 0},
          {"remapped_uncorrectable", 0},
          {"remap_pending", 0},
          {"remap_failed", 0},
          {"throttle_reasons", 1},
          {"pcie_generation", 5},
          {"pcie_generation_max", 5},
          {"pcie_width", 16},
          {"pcie_width_max", 16},
          {"pcie_replays", 0},
          {"sm_clock_max", 1980},
          {"memory_clock_max", 2619},
          {"sm_clock_application", 1980},
          {"persistence", 1},
          {"mig", 0},
          {"temperature", 34},
          {"nvlinks_active", 18},
          {"nvlinks_total", 18},
          {"nvlink_errors", 0},
          {"fabric_state", 3},
          {"fabric_status", 0}};
}

}  // namespace

BuiltNode::BuiltNode(Empty, bool large) {
  // A node is some thousand small files: memory is faster, but a container may have only 64 MiB of it.
  const bool in_memory = !large && !std::getenv("TMPDIR") && ::access("/dev/shm", W_OK) == 0;
  std::string pattern = (in_memory ? fs::path("/dev/shm") : fs::temp_directory_path()) / "mlc-node-XXXXXX";
  if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
  root_ = pattern;
}

BuiltNode::~BuiltNode() {
  std::error_code error;
  fs::remove_all(root_, error);
}

void BuiltNode::file(const std::string& path, const std::string& content) {
  const fs::path at = root_ + path;
  fs::create_directories(at.parent_path());
  std::ofstream(at, std::ios::binary) << content;
}
void BuiltNode::later(const std::string& path, const std::string& content) {
  // The second reading has its own copy of the file, found by the same links: it is written where they lead.
  file("/later" + FileTree(root_).resolve(path).value, content);
}
void BuiltNode::link(const std::string& path, const std::string& target) {
  const fs::path at = root_ + path;
  fs::create_directories(at.parent_path());
  fs::remove(at);
  fs::create_symlink(target, at);
}
void BuiltNode::remove(const std::string& path) { fs::remove_all(root_ + path); }
void BuiltNode::answer(const std::string& kind, const std::string& key, nlohmann::json value) {
  answers_[{kind, key}] = {0, {}, std::move(value)};
}
void BuiltNode::error(const std::string& kind, const std::string& key, int number, const std::string& why) {
  answers_[{kind, key}] = {number, why, nullptr};
}

std::string BuiltNode::pf(int rail) const { return format("0000:%02x:00.0", buses[rail] + 3); }
std::string BuiltNode::vf(int rail, int index) const {
  return format("0000:%02x:%02x.%d", buses[rail] + 3, (index + 1) / 8, (index + 1) % 8);
}
std::string BuiltNode::gpu(int index) const {
  return format("0000:%02x:00.0", buses[index / 2] + 4 + index % 2);
}
std::string BuiltNode::pci(const std::string& address) const { return folders_.at(address); }
std::string BuiltNode::netdev(int rail) const {
  return in_pod_ ? format("net%d", rail + 1) : format("ens%df0np0", rail + 1);
}
std::string BuiltNode::rdma(int rail) const {
  return in_pod_ ? format("mlx5_%d", 4 + rail) : format("mlx5_%d", rail);
}
std::string BuiltNode::port(int rail) const {
  return pci(in_pod_ ? vf(rail, 0) : pf(rail)) + "/infiniband/" + rdma(rail) + "/ports/1/";
}
BuiltLink& BuiltNode::rail_link(int rail) {
  return *std::ranges::find(links, netdev(rail), &BuiltLink::name);
}
nlohmann::json& BuiltNode::gpus() { return answers_.at({"nvml", ""}).value; }

void BuiltNode::pci_device(const std::string& address, const std::string& folder, unsigned vendor,
                           unsigned device, unsigned class_code, const std::string& speed, int width) {
  folders_[address] = folder;
  file(folder + "/vendor", format("0x%04x\n", vendor));
  file(folder + "/device", format("0x%04x\n", device));
  file(folder + "/class", format("0x%06x\n", class_code));
  file(folder + "/numa_node", format("%d\n", folder.find("pci0000:17") != std::string::npos ||
                                                     folder.find("pci0000:37") != std::string::npos
                                                 ? 0
                                                 : 1));
  for (const char* which : {"current", "max"}) {
    file(folder + "/" + which + "_link_speed", speed + "\n");
    file(folder + "/" + which + "_link_width", std::to_string(width) + "\n");
  }
  file(folder + "/config", config_space(vendor));
  std::string up = "../../../";
  link("/sys/bus/pci/devices/" + address, up + folder.substr(5));
}

void BuiltNode::rdma_device(const std::string& address, const std::string& name, const std::string& interface,
                            int ifindex, const std::string& mac, bool is_vf) {
  const std::string folder = pci(address), device = folder + "/infiniband/" + name,
                    base = device + "/ports/1/";
  file(device + "/board_id", "MT_0000000838\n");
  file(device + "/fw_ver", "28.39.3560\n");
  file(device + "/hca_type", "MT4129\n");
  file(device + "/node_guid", "a088:c203:00d1:0021\n");
  link(device + "/device", "../../../" + address);
  link("/sys/class/infiniband/" + name, "../.." + device.substr(4));
  file(base + "state", "4: ACTIVE\n");
  file(base + "phys_state", "5: LinkUp\n");
  file(base + "link_layer", "Ethernet\n");
  file(base + "rate", "200 Gb/sec (2X NDR)\n");
  if (!is_vf) {
    for (const char* counter :
         {"counters/symbol_error", "counters/port_rcv_errors", "counters/port_xmit_discards",
          "counters/link_downed", "counters/link_error_recovery", "hw_counters/out_of_sequence",
          "hw_counters/local_ack_timeout_err"}) {
      file(base + counter, "0\n");
      file("/later" + base + counter, "0\n");
    }
    file("/later" + device + "/name", name + "\n");
    link("/later/sys/class/infiniband/" + name, "../.." + device.substr(4));
  }
  const std::string net = folder + "/net/" + interface;
  file(net + "/carrier_changes", "1\n");
  file(net + "/speed", "200000\n");
  link("/sys/class/net/" + interface, "../.." + net.substr(4));
  if (!is_vf) {
    file("/later" + net + "/carrier_changes", "1\n");
    link("/later/sys/class/net/" + interface, "../.." + net.substr(4));
  }
  links.push_back({ifindex, interface, mac, "", address, 9000, 0x11043, {}});
  answers_[{"verbs", ""}].value.push_back(
      {{"device", name}, {"port", 1}, {"active_mtu", 4096}, {"max_mtu", 4096}, {"dmabuf", "supported"}});
}

// What every machine has.
void BuiltNode::common() {
  fs::create_directories(root_ + "/later");
  fs::create_directory_symlink("../sys/class", root_ + "/later/placeholder");
  fs::remove(root_ + "/later/placeholder");
  for (const char* folder :
       {"/sys/class/net", "/sys/bus/pci/devices", "/sys/block", "/var/lib/cni/sriov/pci"})
    fs::create_directories(root_ + folder);
  file("/proc/sys/kernel/osrelease", "5.15.0-113-generic\n");
  file("/proc/cmdline", "BOOT_IMAGE=/vmlinuz root=UUID=1 ro iommu=pt\n");
  file("/proc/meminfo",
       "MemTotal:       2113513472 kB\nHugePages_Total:       0\nHugePages_Free:        0\n");
  file("/proc/self/mounts", "/dev/sda2 / ext4 rw,relatime 0 0\n");
  links = {{1, "lo", "00:00:00:00:00:00", "", "", 65536, 0x10049, {*parse_prefix("127.0.0.1/8")}},
           {2, "eno1", "02:00:00:00:ff:01", "", "", 1500, 0x11043, {*parse_prefix("192.168.10.21/24")}}};
  routes = {{std::nullopt, 2, parse_ipv4("192.168.10.1")}, {*parse_prefix("192.168.10.0/24"), 2, {}}};
  rules = {{0, 255, {}, {}}, {32766, 254, {}, {}}, {32767, 253, {}, {}}};
  answer("environment", "", nlohmann::json::object());
  answer("uname", "", {{"hostname", "gpu-a"}, {"release", "5.15.0-113-generic"}, {"machine", "x86_64"}});
  answer("resolve", "gpu-a", {"192.168.10.21"});
  answer("clock", "", {{"synchronised", true}, {"offset_us", 12.5}, {"max_error_us", 500.0}});
  for (const char* name : {"memlock", "nofile", "nproc"})
    answer("limit", name, {{"soft", nullptr}, {"hard", nullptr}});
  answer("filesystem", "/dev/shm", {{"bytes", 1ull << 40}, {"free", 1ull << 40}, {"type", 0x01021994}});
  answer("register-memory", std::to_string(1ull << 30),
         {{"bytes", 1ull << 30}, {"how", "ibv_reg_mr on mlx5_0"}});
  answer("register-memory", std::to_string(64ull << 20), {{"bytes", 64ull << 20}, {"how", "mlock"}});
  answer("kernel-log", "", nlohmann::json::array());
  error("nvml", "", ENOENT, "NVML cannot be loaded: libnvidia-ml.so.1: cannot open shared object file");
  error("verbs", "", ENOENT, "libibverbs cannot be loaded");
}

std::unique_ptr<BuiltNode> BuiltNode::machine() {
  std::unique_ptr<BuiltNode> node(new BuiltNode(Empty{}, false));
  node->common();
  return node;
}

BuiltNode::BuiltNode(int vfs_per_pf) : BuiltNode(Empty{}, vfs_per_pf > 8) {
  common();
  file("/proc/driver/nvidia/version",
       "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.90.07  Release Build\nGCC version: "
       "11.4.0\n");
  file("/sys/module/mlx5_core/version", "24.04-0.6.6\n");
  file("/var/lib/dpkg/status",
       "Package: kubelet\nStatus: install ok installed\nVersion: 1.29.6-1.1\n\nPackage: "
       "containerd.io\nStatus: install ok installed\nVersion: 1.7.18-1\n\nPackage: vim\nStatus: install ok "
       "installed\nVersion: 9\n");
  file("/opt/cni/bin/sriov", std::string(1000, 'x'));
  nlohmann::json nvml{{"driver", "550.90.07"}, {"gpus", nlohmann::json::array()}};
  answer("verbs", "", nlohmann::json::array());
  int next_link = 10, next_rdma = rails;
  for (int rail = 0; rail < rails; ++rail) {
    const int bus = buses[rail];
    const std::string root_bus = format("/sys/devices/pci0000:%02x", bus);
    const std::string root_port = format("0000:%02x:01.0", bus), upstream = format("0000:%02x:00.0", bus + 1);
    const std::string above = root_bus + "/" + root_port;
    pci_device(root_port, above, 0x8086, 0x352a, 0x060400, "32.0 GT/s PCIe", 16);
    pci_device(upstream, above + "/" + upstream, 0x1000, 0xc030, 0x060400, "32.0 GT/s PCIe", 16);
    for (int slot = 0; slot < 3; ++slot) {
      const std::string downstream = format("0000:%02x:%02x.0", bus + 2, slot);
      pci_device(downstream, above + "/" + upstream + "/" + downstream, 0x1000, 0xc030, 0x060400,
                 "32.0 GT/s PCIe", 16);
      const std::string under = pci(downstream) + "/";
      if (slot > 0) {
        const int index = rail * 2 + slot - 1;
        pci_device(gpu(index), under + gpu(index), 0x10de, 0x2330, 0x030200, "32.0 GT/s PCIe", 16);
        nvml["gpus"].push_back(healthy_gpu(index, gpu(index)));
        continue;
      }
      pci_device(pf(rail), under + pf(rail), 0x15b3, 0x1021, 0x020000, "16.0 GT/s PCIe", 16);
      rdma_device(pf(rail), rdma(rail), netdev(rail), 3 + rail, format("02:00:00:00:%02x:01", rail), false);
      file(pci(pf(rail)) + "/sriov_numvfs", std::to_string(vfs_per_pf) + "\n");
      file(pci(pf(rail)) + "/sriov_totalvfs", "128\n");
      file(pci(pf(rail)) + "/net/" + netdev(rail) + "/qos/trust", "dscp\n");
      file(pci(pf(rail)) + "/net/" + netdev(rail) + "/ecn/roce_rp/enable/3", "1\n");
      file(pci(pf(rail)) + "/net/" + netdev(rail) + "/ecn/roce_np/enable/3", "1\n");
      auto& own = rail_link(rail);
      own.addresses = {*parse_prefix(format("10.%d.0.21/24", 10 + rail))};
      for (int i = 0; i < 4; ++i) {
        file(port(rail) + "gids/" + std::to_string(i),
             i == 3  ? format("0000:0000:0000:0000:0000:ffff:0a%02x:0015\n", 10 + rail)
             : i < 2 ? "fe80:0000:0000:0000:0000:00ff:fe00:0001\n"
                     : format("0000:0000:0000:0000:0000:ffff:0a%02x:0015\n", 10 + rail));
        file(port(rail) + "gid_attrs/types/" + std::to_string(i), i % 2 == 1 ? "RoCE v2\n" : "IB/RoCE v1\n");
        file(port(rail) + "gid_attrs/ndevs/" + std::to_string(i), netdev(rail) + "\n");
      }
      file(port(rail) + "gids/4", "0000:0000:0000:0000:0000:0000:0000:0000\n");
      const Ipv4 gateway = *parse_ipv4(format("10.%d.0.1", 10 + rail));
      routes.push_back({*parse_prefix(format("10.%d.0.0/24", 10 + rail)), 3 + rail, {}});
      routes.push_back({*parse_prefix(format("10.%d.0.0/16", 10 + rail)), 3 + rail, gateway});
      routes.push_back({*parse_prefix(format("10.%d.0.0/16", 20 + rail)), 3 + rail, gateway});
      for (const char* name : {"rp_filter", "arp_ignore", "arp_announce"})
        file("/proc/sys/net/ipv4/conf/" + netdev(rail) + "/" + name, "0\n");
      for (const int size : {84, 4220})
        answer("icmp", netdev(rail) + format(" 10.%d.0.21 10.%d.0.1 %d", 10 + rail, 10 + rail, size),
               {{"replied", true}, {"local_error", ""}});
      answer("arp", netdev(rail) + format(" 10.%d.0.21", 10 + rail), {{"macs", nlohmann::json::array()}});
      pfc[netdev(rail)] = 1u << 3;
      dscp[netdev(rail)] = {{26, 3}};
      for (int i = 0; i < vfs_per_pf; ++i) {
        const std::string address = vf(rail, i);
        pci_device(address, under + address, 0x15b3, 0x101e, 0x020000, "Unknown", 0);
        link(pci(address) + "/physfn", "../" + pf(rail));
        link(pci(pf(rail)) + "/virtfn" + std::to_string(i), "../" + address);
        rdma_device(address, format("mlx5_%d", next_rdma++), format("ens%df0v%d", rail + 1, i), next_link++,
                    format("02:00:00:01:%02x:%02x", rail, i), true);
        vfs[3 + rail].push_back({static_cast<unsigned>(i), format("02:00:00:01:%02x:%02x", rail, i)});
      }
    }
  }
  for (const char* name : {"rp_filter", "arp_ignore", "arp_announce"})
    file(std::string("/proc/sys/net/ipv4/conf/all/") + name, "0\n");
  for (const auto& [address, folder] : folders_) {
    for (const char* kind : {"fatal", "nonfatal", "correctable"}) {
      std::string total = kind;
      std::ranges::transform(total, total.begin(),
                             [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
      if (std::string_view(kind) == "correctable") total = "COR";
      file(folder + "/aer_dev_" + kind, "Undefined 0\nDLP 0\nTOTAL_ERR_" + total + " 0\n");
      file("/later" + folder + "/aer_dev_" + kind, "Undefined 0\nDLP 0\nTOTAL_ERR_" + total + " 0\n");
    }
    link("/later/sys/bus/pci/devices/" + address, "../../../" + folder.substr(5));
  }
  links.push_back({7, "cilium_vxlan", "02:00:00:00:ff:02", "vxlan", "", 1500, 0x11043, {}});
  links.push_back(
      {8, "cilium_host", "02:00:00:00:ff:03", "veth", "", 1500, 0x11043, {*parse_prefix("10.244.1.1/32")}});
  routes.push_back({*parse_prefix("10.244.0.0/16"), 8, parse_ipv4("10.244.1.1"), 254, 1, 1450});
  for (int disk = 0; disk < 4; ++disk) {
    const std::string name = format("nvme%d", disk);
    file("/sys/class/nvme/" + name + "/state", "live\n");
    file("/sys/class/nvme/" + name + "/model", "SAMSUNG MZWLO3T8HCLS-00A07\n");
    file("/sys/block/" + name + "n1/size", "7501476528\n");
    file("/sys/block/" + name + "n1/ro", "0\n");
  }
  answer("nvml", "", nvml);
  file("/etc/mlc-bench/lock.yaml",
       "lock: mlc-bench/lock/v1\nversions:\n  kernel: 5.15.0-113-generic\n  nvidia driver: \"550.90.07\"\n  "
       "mlx5_core: 24.04-0.6.6\n  package kubelet: 1.29.6-1.1\n  package containerd.io: 1.7.18-1\n  size of "
       "/opt/cni/bin/sriov: \"1000\"\n"
       "  \"firmware 0000:1a:00.0\": 28.39.3560\n  \"firmware 0000:3a:00.0\": 28.39.3560\n  \"firmware "
       "0000:9a:00.0\": 28.39.3560\n  \"firmware 0000:ba:00.0\": 28.39.3560\n");
}

std::unique_ptr<BuiltNode> BuiltNode::pod() {
  auto node = std::make_unique<BuiltNode>(1);
  BuiltNode& pod = *node;
  for (int rail = 0; rail < rails; ++rail) {
    // The PF stays behind: its interface is in the host's namespace, its RDMA device too (exclusive mode).
    fs::remove_all(pod.root_ + pod.pci(pod.pf(rail)) + "/net");
    fs::remove(pod.root_ + "/sys/class/net/" + pod.netdev(rail));
    fs::remove(pod.root_ + "/sys/class/infiniband/" + pod.rdma(rail));
    const std::string folder = pod.pci(pod.vf(rail, 0));
    fs::remove_all(pod.root_ + folder + "/net");
    fs::remove(pod.root_ + format("/sys/class/net/ens%df0v0", rail + 1));
    fs::remove_all(pod.root_ + "/proc/sys/net/ipv4/conf/" + pod.netdev(rail));
  }
  pod.in_pod_ = true;
  pod.links = {
      {1, "lo", "00:00:00:00:00:00", "", "", 65536, 0x10049, {*parse_prefix("127.0.0.1/8")}},
      {2, "eth0", "02:00:00:00:aa:01", "veth", "", 1500, 0x11043, {*parse_prefix("10.244.1.17/32")}}};
  pod.routes = {{std::nullopt, 2, parse_ipv4("10.244.1.1"), 254, 1, 1450}};
  auto status = nlohmann::json::array({{{"name", "cilium"},
                                        {"interface", "eth0"},
                                        {"ips", {"10.244.1.17"}},
                                        {"mac", "02:00:00:00:aa:01"},
                                        {"default", true},
                                        {"dns", nlohmann::json::object()}}});
  nlohmann::json environment{{"KUBERNETES_SERVICE_HOST", "10.96.0.1"}, {"NVIDIA_VISIBLE_DEVICES", "all"}};
  nlohmann::json verbs = nlohmann::json::array();
  for (int rail = 0; rail < rails; ++rail) {
    const std::string folder = pod.pci(pod.vf(rail, 0)), net = folder + "/net/" + pod.netdev(rail),
                      name = pod.rdma(rail);
    const std::string ip = format("10.%d.0.31", 10 + rail), mac = format("02:00:00:01:%02x:00", rail);
    pod.file(net + "/carrier_changes", "1\n");
    pod.file("/later" + net + "/carrier_changes", "1\n");
    pod.link("/sys/class/net/" + pod.netdev(rail), "../.." + net.substr(4));
    pod.link("/later/sys/class/net/" + pod.netdev(rail), "../.." + net.substr(4));
    pod.link("/later/sys/class/infiniband/" + name, "../.." + folder.substr(4) + "/infiniband/" + name);
    for (const char* counter : {"counters/link_downed", "hw_counters/out_of_sequence"}) {
      pod.file(pod.port(rail) + counter, "0\n");
      pod.file("/later" + pod.port(rail) + counter, "0\n");
    }
    pod.file(pod.port(rail) + "gids/0", format("0000:0000:0000:0000:0000:ffff:0a%02x:001f\n", 10 + rail));
    pod.file(pod.port(rail) + "gid_attrs/types/0", "RoCE v2\n");
    pod.file(pod.port(rail) + "gid_attrs/ndevs/0", pod.netdev(rail) + "\n");
    pod.links.push_back(
        {3 + rail, pod.netdev(rail), mac, "", pod.vf(rail, 0), 9000, 0x11043, {*parse_prefix(ip + "/24")}});
    const Ipv4 gateway = *parse_ipv4(format("10.%d.0.1", 10 + rail));
    pod.routes.push_back({*parse_prefix(format("10.%d.0.0/24", 10 + rail)), 3 + rail, {}});
    pod.routes.push_back({*parse_prefix(format("10.%d.0.0/16", 10 + rail)), 3 + rail, gateway});
    pod.routes.push_back({*parse_prefix(format("10.%d.0.0/16", 20 + rail)), 3 + rail, gateway});
    for (const char* setting : {"rp_filter", "arp_ignore", "arp_announce"})
      pod.file("/proc/sys/net/ipv4/conf/" + pod.netdev(rail) + "/" + setting, "0\n");
    for (const int size : {84, 4220})
      pod.answer("icmp", pod.netdev(rail) + " " + ip + " " + to_string(gateway) + " " + std::to_string(size),
                 {{"replied", true}, {"local_error", ""}});
    pod.answer("arp", pod.netdev(rail) + " " + ip, {{"macs", nlohmann::json::array()}});
    pod.file(format("/dev/infiniband/uverbs%d", 7 - rail), "");
    pod.file(format("/sys/class/infiniband_verbs/uverbs%d/ibdev", 7 - rail), name + "\n");
    status.push_back({{"name", format("bench/rail%d", rail)},
                      {"interface", pod.netdev(rail)},
                      {"ips", {ip}},
                      {"mac", mac},
                      {"mtu", 9000},
                      {"dns", nlohmann::json::object()},
                      {"device-info",
                       {{"type", "pci"},
                        {"version", "1.1.0"},
                        {"pci", {{"pci-address", pod.vf(rail, 0)}, {"rdma-device", name}}}}}});
    environment[format("PCIDEVICE_MLC_IO_RAIL%d", rail)] = pod.vf(rail, 0);
    environment[format("PCIDEVICE_MLC_IO_RAIL%d_INFO", rail)] = "{}";
    verbs.push_back(
        {{"device", name}, {"port", 1}, {"active_mtu", 4096}, {"max_mtu", 4096}, {"dmabuf", "supported"}});
  }
  pod.answer("environment", "", environment);
  pod.answer("verbs", "", verbs);
  pod.answer("resolve", "gpu-a", {"10.244.1.17"});
  pod.file("/etc/podinfo/network-status", status.dump(4));
  return node;
}

std::shared_ptr<Machine> BuiltNode::machine_with_answers() const {
  auto machine = std::make_shared<BuiltMachine>();
  machine->links = links, machine->routes = routes, machine->rules = rules, machine->vfs = vfs,
  machine->pfc = pfc, machine->dscp = dscp;
  machine->links_error = links_error;
  machine->answers = answers_;
  return machine;
}

std::shared_ptr<const Host> BuiltNode::host() const {
  return std::make_shared<const Host>(FileTree(root_), machine_with_answers(), FileTree(root_ + "/later"));
}

void BuiltNode::write(const std::string& directory, const Policy& policy) const {
  // The machine is shared; the recorder wants to own one, so it is given a copy.
  auto copy = std::make_unique<BuiltMachine>(static_cast<const BuiltMachine&>(*machine_with_answers()));
  const auto recording = std::make_shared<RecordingMachine>(std::move(copy));
  const auto recorded = std::make_shared<const Host>(FileTree(root_), recording, FileTree(root_ + "/later"));
  validate(recorded, policy, all_checks());
  validate(recorded, load_policy("local"), all_checks());
  fs::copy(root_, directory, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  std::ofstream(directory + "/node.json") << recording->node_file();
}

Policy h100_policy() {
  Policy policy = load_policy("h100-4x200g");
  for (int rail = 0; rail < BuiltNode::rails; ++rail)
    policy.node->sites.push_back({*parse_prefix(format("10.%d.0.0/16", 10 + rail)),
                                  parse_ipv4(format("10.%d.0.1", 10 + rail)),
                                  {*parse_prefix(format("10.%d.0.0/16", 20 + rail))}});
  return policy;
}

std::vector<Finding> run_check(const std::string& name, const Host& host, const Policy& policy) {
  for (const auto* check : all_checks())
    if (check->name == name) return check->run(host, policy);
  throw std::runtime_error("no check " + name);
}

Status worst_of(const std::vector<Finding>& findings) {
  Status status = Status::skip;
  for (const auto& finding : findings)
    status = worst(status, finding.status);
  return status;
}

}  // namespace mlc::test
