// Every check on a healthy node, on a broken one and on one that cannot be read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/devlink.h>
#include <linux/fib_rules.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>

#include <cerrno>
#include <functional>
#include <map>
#include <set>

#include "tests/validators/built_node.hpp"
#include "tests/validators/odd_nodes.hpp"
#include "validators/checks/all.hpp"

namespace mlc::test {

namespace {

enum class Kind { host, pod };

struct Case {
  std::string check, name;
  Status expected = Status::pass;
  std::string says;  // in the finding of that status: observed
  Kind kind = Kind::host;
  std::function<void(BuiltNode&, Policy&)> change = [](BuiltNode&, Policy&) {};
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.check << " " << one.name; }

Prefix prefix(const char* text) { return *parse_prefix(text); }

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  const auto add = [&](std::string check, std::string name, Status expected, std::string says,
                       std::function<void(BuiltNode&, Policy&)> change, Kind kind = Kind::host) {
    cases.push_back({std::move(check), std::move(name), expected, std::move(says), kind, std::move(change)});
  };
  const auto peers = [](Policy& policy) {
    policy.node->peers = {{*parse_ipv4("10.10.0.22"), *parse_ipv4("10.11.0.22"), *parse_ipv4("10.12.0.22"),
                           *parse_ipv4("10.13.0.22")}};
  };
  const auto matrix = [peers](BuiltNode& node, Policy& policy, const std::function<bool(int, int)>& reached) {
    peers(policy);
    for (int i = 0; i < 4; ++i)
      for (int j = 0; j < 4; ++j)
        node.answer("icmp",
                    node.netdev(i) + " 10." + std::to_string(10 + i) + ".0.21 10." + std::to_string(10 + j) +
                        ".0.22 84",
                    {{"replied", reached(i, j)}, {"local_error", ""}});
  };

  // Healthy: every check passes somewhere.
  for (const auto* check : all_checks()) {
    const std::string name(check->name);
    const bool of_pod = name.starts_with("pod.");
    add(
        name, "healthy", Status::pass, "",
        [=](BuiltNode& node, Policy& policy) {
          if (name == "net.rail-matrix") matrix(node, policy, [](int i, int j) { return i == j; });
          if (name == "host.mounts") {
            policy.node->mounts = {{"/data0", "xfs"}};
            node.file("/proc/self/mounts",
                      "/dev/sda2 / ext4 rw 0 0\n/dev/nvme0n1 /data0 xfs rw,noatime 0 0\n");
          }
        },
        of_pod ? Kind::pod : Kind::host);
  }

  add("pci.inventory", "nic gone", Status::fail, "rail 2 (10.12.0.0/16) is missing",
      [](BuiltNode& node, Policy&) { node.remove("/sys/class/infiniband/mlx5_2"); });
  add("pci.inventory", "no nic at all", Status::fail, "no rail",
      [](BuiltNode& node, Policy&) { node.remove("/sys/class/infiniband"); });
  add("pci.inventory", "mixed firmware", Status::warn, "2 kinds of firmware", [](BuiltNode& node, Policy&) {
    node.file(node.pci(node.pf(1)) + "/infiniband/mlx5_1/fw_ver", "28.38.1002\n");
  });
  add("pci.inventory", "firmware unreadable", Status::unknown, "does not say its firmware",
      [](BuiltNode& node, Policy&) { node.remove(node.pci(node.pf(1)) + "/infiniband/mlx5_1/fw_ver"); });

  add("pci.link", "nic at half width", Status::fail, "trained at 16 GT/s x8",
      [](BuiltNode& node, Policy&) { node.file(node.pci(node.pf(2)) + "/current_link_width", "8\n"); });
  add("pci.link", "switch uplink slow", Status::fail, "0000:17:01.0 -> 0000:18:00.0 trained at 16 GT/s",
      [](BuiltNode& node, Policy&) {
        node.file(node.pci("0000:18:00.0") + "/current_link_speed", "16.0 GT/s PCIe\n");
      });
  add("pci.link", "gpu narrow", Status::fail, "x8",
      [](BuiltNode& node, Policy&) { node.file(node.pci(node.gpu(5)) + "/current_link_width", "8\n"); });
  add("pci.link", "idle gpu is slow and well", Status::pass, "", [](BuiltNode& node, Policy&) {
    node.file(node.pci(node.gpu(5)) + "/current_link_speed", "2.5 GT/s PCIe\n");
  });
  add("pci.link", "below the policy", Status::fail, "8 GT/s x16", [](BuiltNode& node, Policy&) {
    for (const char* which : {"/current_link_speed", "/max_link_speed"})
      node.file(node.pci(node.pf(0)) + which, "8.0 GT/s PCIe\n");
  });
  add("pci.link", "speed unknown", Status::unknown, "does not say",
      [](BuiltNode& node, Policy&) { node.file(node.pci(node.pf(0)) + "/current_link_speed", "Unknown\n"); });

  add("pci.errors", "new fatal error", Status::fail, "1 uncorrectable", [](BuiltNode& node, Policy&) {
    node.later("/sys/bus/pci/devices/" + node.pf(0) + "/aer_dev_fatal", "TOTAL_ERR_FATAL 1\n");
  });
  add("pci.errors", "old fatal error", Status::warn, "since boot", [](BuiltNode& node, Policy&) {
    node.file(node.pci(node.gpu(0)) + "/aer_dev_fatal", "TOTAL_ERR_FATAL 3\n");
    node.later("/sys/bus/pci/devices/" + node.gpu(0) + "/aer_dev_fatal", "TOTAL_ERR_FATAL 3\n");
  });
  add("pci.errors", "flood of corrected ones", Status::warn, "corrected errors a minute",
      [](BuiltNode& node, Policy&) {
        node.later("/sys/bus/pci/devices/" + node.pf(0) + "/aer_dev_correctable", "TOTAL_ERR_COR 900\n");
      });
  add("pci.errors", "counters went backwards", Status::unknown, "went backwards",
      [](BuiltNode& node, Policy&) {
        node.file(node.pci(node.pf(0)) + "/aer_dev_fatal", "TOTAL_ERR_FATAL 9\n");
      });
  add("pci.errors", "no AER", Status::unknown, "aer_dev",
      [](BuiltNode& node, Policy&) { node.remove(node.pci(node.pf(0)) + "/aer_dev_fatal"); });

  const auto config = [](BuiltNode& node, const std::string& address, std::size_t at, char value) {
    std::string bytes = FileTree(node.root()).bytes(node.pci(address) + "/config", 4096).value;
    bytes[at] = value;
    node.file(node.pci(address) + "/config", bytes);
  };
  const auto cut_config = [](BuiltNode& node, const std::string& address) {
    node.file(node.pci(address) + "/config",
              FileTree(node.root()).bytes(node.pci(address) + "/config", 64).value);
  };
  add("pci.link", "a GPU fell off the bus", Status::fail, "does not answer", [](BuiltNode& node, Policy&) {
    node.file(node.pci(node.gpu(3)) + "/current_link_width", "63\n");
    node.file(node.pci(node.gpu(3)) + "/current_link_speed", "Unknown\n");
  });
  add("pci.max-read-request", "512 bytes", Status::warn, "512 bytes",
      [=](BuiltNode& node, Policy&) { config(node, node.pf(1), 0x69, 2 << 4); });
  add("pci.max-read-request", "unprivileged", Status::unknown, "64 bytes",
      [=](BuiltNode& node, Policy&) { cut_config(node, node.pf(1)); });
  add("pci.relaxed-ordering", "off", Status::warn, "off",
      [=](BuiltNode& node, Policy&) { config(node, node.pf(1), 0x68, 0); });
  add("pci.relaxed-ordering", "device answers all ones", Status::unknown, "all ones",
      [](BuiltNode& node, Policy&) {
        node.file(node.pci(node.pf(1)) + "/config", std::string(4096, '\xff'));
      });
  add("pci.acs", "redirection on", Status::fail, "redirected",
      [=](BuiltNode& node, Policy&) { config(node, "0000:19:00.0", 0x106, 0x0c); });
  add("pci.acs", "iommu translates", Status::warn, "translating",
      [](BuiltNode& node, Policy&) { node.file("/proc/cmdline", "intel_iommu=on\n"); });
  add("pci.acs", "unprivileged", Status::unknown, "64 bytes",
      [=](BuiltNode& node, Policy&) { cut_config(node, "0000:19:00.0"); });
  add("pci.affinity", "nic in the wrong group", Status::fail, "0 GPUs", [](BuiltNode& node, Policy&) {
    // NIC 1 now sits beside NIC 0: three devices behind one switch, and none behind the other.
    const std::string moved = node.pci("0000:19:00.0") + "/" + node.pf(1);
    node.link("/sys/bus/pci/devices/" + node.pf(1), "../../../" + moved.substr(5));
    std::filesystem::rename(node.root() + node.pci(node.pf(1)), node.root() + moved);
    node.link("/sys/class/infiniband/mlx5_1", "../.." + moved.substr(4) + "/infiniband/mlx5_1");
  });
  add("pci.affinity", "two rails to a switch", Status::pass, "2 GPUs", [](BuiltNode& node, Policy&) {
    const std::string upstream = std::filesystem::path(node.pci("0000:19:00.0")).parent_path();
    int port = 0;
    for (const auto& address : {node.pf(1), node.gpu(2), node.gpu(3)}) {
      const std::string below = upstream + "/0000:e" + std::to_string(++port) + ":00.0";
      std::filesystem::create_directories(node.root() + below);
      const std::string moved = below + "/" + address;
      node.link("/sys/bus/pci/devices/" + address, "../../../" + moved.substr(5));
      std::filesystem::rename(node.root() + node.pci(address), node.root() + moved);
      if (address == node.pf(1))
        node.link("/sys/class/infiniband/mlx5_1", "../.." + moved.substr(4) + "/infiniband/mlx5_1");
    }
  });
  // Their switches under one bridge: the NIC is nearer to the other NIC than to the GPUs that it left.
  add("pci.affinity", "in the wrong slot of a cascade", Status::fail, "4 GPUs", [](BuiltNode& node, Policy&) {
    const auto under = [&](const std::string& address, const std::string& bridges) {
      std::string moved = node.pci("0000:19:00.0") + "/" + bridges + "/" + address;
      std::filesystem::create_directories(node.root() + node.pci("0000:19:00.0") + "/" + bridges);
      node.link("/sys/bus/pci/devices/" + address, "../../../" + moved.substr(5));
      std::filesystem::rename(node.root() + node.pci(address), node.root() + moved);
      return moved;
    };
    for (const auto& address : {node.gpu(0), node.gpu(1), node.pf(0)}) {
      const auto moved = under(address, "0000:e1:00.0");
      if (address == node.pf(0))
        node.link("/sys/class/infiniband/mlx5_0", "../.." + moved.substr(4) + "/infiniband/mlx5_0");
    }
    const auto moved = under(node.pf(1), "0000:e1:00.0");
    node.link("/sys/class/infiniband/mlx5_1", "../.." + moved.substr(4) + "/infiniband/mlx5_1");
    for (const auto& address : {node.gpu(2), node.gpu(3)})
      under(address, "0000:e2:00.0");
  });
  add("pci.affinity", "wrong NUMA node", Status::fail, "NUMA node",
      [](BuiltNode& node, Policy&) { node.file(node.pci(node.pf(0)) + "/numa_node", "1\n"); });
  add("pci.affinity", "a GPU is gone", Status::fail, "7 GPUs are on the bus",
      [](BuiltNode& node, Policy&) { node.remove("/sys/bus/pci/devices/" + node.gpu(3)); });
  add("pci.affinity", "no equal groups", Status::unknown, "divide into no equal groups",
      [](BuiltNode& node, Policy& policy) {
        policy.node->gpus_per_nic.reset(), policy.node->gpus = 7;
        node.remove("/sys/bus/pci/devices/" + node.gpu(3));
      });
  add("pci.affinity", "all GPUs are gone", Status::fail, "0 GPUs are on the bus",
      [](BuiltNode& node, Policy&) {
        for (int i = 0; i < 8; ++i)
          node.remove("/sys/bus/pci/devices/" + node.gpu(i));
      });

  add("rdma.port-state", "down", Status::fail, "1: DOWN",
      [](BuiltNode& node, Policy&) { node.file(node.port(3) + "state", "1: DOWN\n"); });
  add("rdma.port-state", "set down", Status::fail, "is set down",
      [](BuiltNode& node, Policy&) { node.rail_link(1).flags = 0x1002; });
  add("rdma.port-state", "half rate", Status::fail, "100 Gb/sec",
      [](BuiltNode& node, Policy&) { node.file(node.port(3) + "rate", "100 Gb/sec (2X HDR)\n"); });
  add("rdma.port-state", "infiniband", Status::fail, "InfiniBand",
      [](BuiltNode& node, Policy&) { node.file(node.port(3) + "link_layer", "InfiniBand\n"); });
  add("rdma.port-state", "other spelling of the rate", Status::pass, "",
      [](BuiltNode& node, Policy&) { node.file(node.port(3) + "rate", "200 Gb/sec (4X HDR)\n"); });
  add("rdma.port-state", "interface slower than port", Status::fail, "100000 Mbit/s",
      [](BuiltNode& node, Policy&) { node.file(node.pci(node.pf(0)) + "/net/ens1f0np0/speed", "100000\n"); });
  add("rdma.port-state", "without a policy the odd one is seen", Status::fail, "100 Gb/sec",
      [](BuiltNode& node, Policy& policy) {
        policy = load_policy("local");
        node.file(node.port(3) + "rate", "100 Gb/sec (2X HDR)\n");
      });
  add("rdma.port-state", "state vanished", Status::unknown, "No such file",
      [](BuiltNode& node, Policy&) { node.remove(node.port(3) + "state"); });

  add("rdma.flaps", "went down", Status::fail, "1 times", [](BuiltNode& node, Policy&) {
    node.later("/sys/class/net/" + node.netdev(2) + "/carrier_changes", "2\n");
  });
  // What stands at its type's maximum is said, not judged; what still moves is judged beside it.
  const auto stuck_flaps = [](BuiltNode& node) {
    node.file(node.port(2) + "counters/link_downed", "255\n");
    node.later(node.port(2) + "counters/link_downed", "255\n");
  };
  add("rdma.flaps", "link_downed stuck at 255", Status::pass,
      "the link stayed up; not judged, stuck at its maximum: link_downed at 255",
      [=](BuiltNode& node, Policy&) { stuck_flaps(node); });
  add("rdma.flaps", "stuck beside a carrier that went", Status::fail, "1 times while we looked; not judged",
      [=](BuiltNode& node, Policy&) {
        stuck_flaps(node);
        node.later("/sys/class/net/" + node.netdev(2) + "/carrier_changes", "2\n");
      });
  add("rdma.flaps", "reached 255 while we looked", Status::fail, "2 times", [](BuiltNode& node, Policy&) {
    node.file(node.port(2) + "counters/link_downed", "253\n");
    node.later(node.port(2) + "counters/link_downed", "255\n");
  });
  add("rdma.flaps", "a counter wider than 8 bits", Status::pass, "the link stayed up",
      [](BuiltNode& node, Policy&) {
        node.file(node.port(2) + "counters/link_downed", "300\n");
        node.later(node.port(2) + "counters/link_downed", "300\n");
      });
  add("rdma.flaps", "no second reading", Status::unknown, "carrier_changes",
      [](BuiltNode& node, Policy&) { node.remove("/later"); });
  add("rdma.counters", "timeouts", Status::fail, "local_ack_timeout_err grew by 7",
      [](BuiltNode& node, Policy&) {
        node.later(node.port(0) + "hw_counters/local_ack_timeout_err", "7\n");
      });
  add("rdma.counters", "loss", Status::warn, "out_of_sequence grew by 1",
      [](BuiltNode& node, Policy&) { node.later(node.port(0) + "hw_counters/out_of_sequence", "1\n"); });
  add("rdma.counters", "at their type's maximum", Status::pass,
      "not judged, stuck at their maximum: counters/symbol_error at 65535, hw_counters/out_of_sequence at "
      "4294967295",
      [](BuiltNode& node, Policy&) {
        for (const auto& [name, most] : {std::pair("counters/symbol_error", "65535\n"),
                                         {"hw_counters/out_of_sequence", "4294967295\n"}}) {
          node.file(node.port(0) + name, most);
          node.later(node.port(0) + name, most);
        }
      });
  add("rdma.counters", "stuck beside one that grows", Status::fail, "local_ack_timeout_err grew by 7",
      [](BuiltNode& node, Policy&) {
        node.file(node.port(0) + "counters/symbol_error", "65535\n");
        node.later(node.port(0) + "counters/symbol_error", "65535\n");
        node.later(node.port(0) + "hw_counters/local_ack_timeout_err", "7\n");
      });
  add("rdma.counters", "not in this namespace", Status::unknown, "no port counters",
      [](BuiltNode& node, Policy&) {
        node.remove(node.port(0) + "counters");
        node.remove(node.port(0) + "hw_counters");
      });

  add("rdma.gid-table", "only v1", Status::fail, "no RoCE v2 GID", [](BuiltNode& node, Policy&) {
    node.file(node.port(0) + "gid_attrs/types/1", "IB/RoCE v1\n");
    node.file(node.port(0) + "gid_attrs/types/3", "IB/RoCE v1\n");
  });
  add("rdma.gid-table", "only link-local", Status::fail, "fe80",
      [](BuiltNode& node, Policy&) { node.remove(node.port(0) + "gids/3"); });
  add("rdma.gid-table", "another address", Status::fail, "10.10.0.99", [](BuiltNode& node, Policy&) {
    node.file(node.port(0) + "gids/3", "0000:0000:0000:0000:0000:ffff:0a0a:0063\n");
  });
  add("rdma.gid-table", "no address", Status::fail, "no IPv4 address",
      [](BuiltNode& node, Policy&) { node.rail_link(0).addresses.clear(); });
  add("rdma.gid-table", "index differs", Status::warn, "differs", [](BuiltNode& node, Policy&) {
    node.file(node.port(0) + "gids/5", "0000:0000:0000:0000:0000:ffff:0a0a:0015\n");
    node.file(node.port(0) + "gid_attrs/types/5", "RoCE v2\n");
    node.file(node.port(0) + "gid_attrs/ndevs/5", node.netdev(0) + "\n");
    node.remove(node.port(0) + "gids/3");
  });
  add("rdma.gid-table", "table gone", Status::unknown, "No such file",
      [](BuiltNode& node, Policy&) { node.remove(node.port(0) + "gids"); });

  add("rdma.mtu", "1500", Status::fail, "interface MTU 1500",
      [](BuiltNode& node, Policy&) { node.rail_link(1).mtu = 1500; });
  add("rdma.mtu", "active 1024", Status::fail, "active MTU 1024", [](BuiltNode& node, Policy&) {
    node.answer("verbs", "", {{{"device", "mlx5_1"}, {"active_mtu", 1024}}});
  });
  add("rdma.mtu", "rails differ", Status::fail, "different interface MTUs",
      [](BuiltNode& node, Policy&) { node.rail_link(1).mtu = 4300; });
  add("rdma.mtu", "not reported", Status::unknown, "not listed",
      [](BuiltNode& node, Policy&) { node.rail_link(1).mtu = 0; });

  add("rdma.namespace", "exclusive wanted", Status::fail, "shared",
      [](BuiltNode&, Policy& policy) { policy.node->rdma_exclusive = true; });
  add("rdma.namespace", "no netlink", Status::unknown, "Operation not permitted",
      [](BuiltNode& node, Policy&) {
        node.error("netlink", rdma_system_request().key(), EPERM, "netlink: Operation not permitted");
      });
  add(
      "rdma.namespace", "pod holds its own", Status::pass, "", [](BuiltNode&, Policy&) {}, Kind::pod);
  add(
      "rdma.namespace", "pod holds another's", Status::fail, "mlx5_9",
      [](BuiltNode& node, Policy&) { node.file("/sys/class/infiniband_verbs/uverbs7/ibdev", "mlx5_9\n"); },
      Kind::pod);

  add("rdma.gpudirect", "neither", Status::fail, "no dmabuf", [](BuiltNode& node, Policy&) {
    auto verbs = nlohmann::json::array();
    for (int i = 0; i < 4; ++i)
      verbs.push_back({{"device", node.rdma(i)},
                       {"active_mtu", 4096},
                       {"dmabuf", "unsupported: Operation not supported"}});
    node.answer("verbs", "", verbs);
  });
  add("rdma.gpudirect", "only peermem", Status::warn, "nvidia_peermem", [](BuiltNode& node, Policy&) {
    node.error("verbs", "", ENOENT, "libibverbs cannot be loaded");
    node.file("/sys/module/nvidia_peermem/version", "550.90.07\n");
  });
  add("rdma.gpudirect", "driver not loaded", Status::fail, "not loaded",
      [](BuiltNode& node, Policy&) { node.remove("/proc/driver/nvidia/version"); });
  add("rdma.gpudirect", "cannot ask", Status::unknown, "libibverbs",
      [](BuiltNode& node, Policy&) { node.error("verbs", "", ENOENT, "libibverbs cannot be loaded"); });

  const std::string gigabyte = std::to_string(1ull << 30);
  add("rdma.memlock", "limited", Status::fail, "limit is 8 MiB", [=](BuiltNode& node, Policy&) {
    node.error("register-memory", gigabyte, ENOMEM, "ibv_reg_mr on mlx5_0: Cannot allocate memory");
    node.answer("limit", "memlock", {{"soft", 8u << 20}, {"hard", 8u << 20}});
  });
  add("rdma.memlock", "nothing known", Status::unknown, "getrlimit", [=](BuiltNode& node, Policy&) {
    node.error("register-memory", gigabyte, ENOMEM, "mlock: Cannot allocate memory");
    node.error("limit", "memlock", EPERM, "getrlimit: Operation not permitted");
  });

  const auto drop_route = [](BuiltNode& node, const char* destination) {
    std::erase_if(node.routes,
                  [&](const BuiltRoute& route) { return route.destination == prefix(destination); });
  };
  add("net.rail-routes", "route missing", Status::fail, "no route matches",
      [=](BuiltNode& node, Policy&) { drop_route(node, "20.0.0.0/8"), drop_route(node, "10.21.0.0/16"); });
  add("net.rail-routes", "blackholed", Status::fail,
      "10.21.0.0-10.21.0.255 blackhole: blackhole 10.21.0.0/24", [](BuiltNode& node, Policy&) {
        node.routes.push_back({prefix("10.21.0.0/24"), 0, {}, 254, 6});
      });
  add("net.rail-routes", "blackholed, but for the first address", Status::fail,
      "10.21.0.2-10.21.255.255 blackhole", [](BuiltNode& node, Policy&) {
        std::erase_if(node.routes,
                      [](const BuiltRoute& route) { return route.destination == prefix("10.21.0.0/16"); });
        node.routes.push_back({prefix("10.21.0.0/16"), 0, {}, 254, 6});
        node.routes.push_back({prefix("10.21.0.1/32"), 4, parse_ipv4("10.11.0.1")});
      });
  add("net.rail-routes", "a rule refuses", Status::fail,
      "refused by rule '10: from all to 10.21.7.0/24 prohibit'", [](BuiltNode& node, Policy&) {
        node.rules.push_back({.priority = 10, .to = prefix("10.21.7.0/24"), .action = FR_ACT_PROHIBIT});
      });
  add("net.rail-routes", "no destination known", Status::unknown, "none is known for rail 0",
      [](BuiltNode&, Policy& policy) { policy.node->sites.clear(); });
  add("net.rail-routes", "the kernel disagrees", Status::fail,
      "the tables and the kernel disagree: 10.21.255.255", [](BuiltNode& node, Policy&) {
        node.error("netlink",
                   route_lookup_request(*parse_ipv4("10.21.255.255"), parse_ipv4("10.11.0.21"), 4).key(),
                   EHOSTUNREACH, "No route to host");
      });
  add("net.rail-routes", "tables not captured", Status::unknown, "rules: was not captured",
      [](BuiltNode& node, Policy&) {
        node.error("netlink", rules_request().key(), ENODATA, "was not captured");
      });
  add("net.rail-routes", "tables not captured, and a lookup that decides", Status::fail,
      "10.21.255.255 no route matches", [](BuiltNode& node, Policy&) {
        node.error("netlink", rules_request().key(), ENODATA, "was not captured");
        node.error("netlink",
                   route_lookup_request(*parse_ipv4("10.21.255.255"), parse_ipv4("10.11.0.21"), 4).key(),
                   EHOSTUNREACH, "No route to host");
      });
  add("net.rail-routes", "lookups not captured", Status::pass, "10.21.0.0/16 via 10.11.0.1",
      [](BuiltNode& node, Policy&) {
        for (const char* address : {"10.21.0.0", "10.21.255.255"})
          node.error("netlink", route_lookup_request(*parse_ipv4(address), parse_ipv4("10.11.0.21"), 4).key(),
                     ENODATA, "was not captured");
      });
  add("net.rail-routes", "a route that is not understood", Status::unknown, "was not understood",
      [](BuiltNode& node, Policy&) {
        node.answer("netlink", routes_request().key(), {{RTM_NEWROUTE, "0220000000000000"}});
      });
  add("net.rail-routes", "wrong gateway", Status::fail, "via 10.11.0.254", [](BuiltNode& node, Policy&) {
    for (auto& route : node.routes)
      if (route.destination == prefix("10.21.0.0/16")) route.gateway = parse_ipv4("10.11.0.254");
  });
  add("net.rail-routes", "only a default route on the rail", Status::fail, "only the default route",
      [=](BuiltNode& node, Policy&) {
        drop_route(node, "10.21.0.0/16");
        node.routes.push_back({std::nullopt, 4, parse_ipv4("10.11.0.1")});
      });
  add("net.rail-routes", "route MTU too small", Status::fail, "MTU is 1500", [](BuiltNode& node, Policy&) {
    for (auto& route : node.routes)
      if (route.destination == prefix("10.21.0.0/16")) route.mtu = 1500;
  });
  add("net.rail-routes", "no address", Status::fail, "no IPv4 address",
      [](BuiltNode& node, Policy&) { node.rail_link(1).addresses.clear(); });
  add("net.rail-routes", "no permission", Status::unknown, "Operation not permitted",
      [](BuiltNode& node, Policy&) {
        node.error("netlink",
                   route_lookup_request(*parse_ipv4("10.21.0.0"), parse_ipv4("10.11.0.21"), 4).key(), EPERM,
                   "netlink: Operation not permitted");
      });

  add("net.rules", "shadowed", Status::fail, "answers before", [](BuiltNode& node, Policy&) {
    node.rules.push_back({50, 200, {}, {}});
    node.routes.push_back({std::nullopt, 2, parse_ipv4("192.168.10.1"), 200});
  });
  add("net.rules", "own rule after a catch-all", Status::fail, "comes after", [](BuiltNode& node, Policy&) {
    node.rules.push_back({50, 200, {}, {}});
    node.routes.push_back({std::nullopt, 2, parse_ipv4("192.168.10.1"), 200});
    node.rules.push_back({100, 101, prefix("10.10.0.21/32"), {}});
    node.routes.push_back({std::nullopt, 3, parse_ipv4("10.10.0.1"), 101});
  });
  // The lookup goes on to the main table, which carries the rail.
  add("net.rules", "table of the rule is empty", Status::warn, "has no route", [](BuiltNode& node, Policy&) {
    node.rules.push_back({100, 101, prefix("10.10.0.21/32"), {}});
  });
  add("net.rules", "no route out of the rail anywhere", Status::fail, "has no route",
      [](BuiltNode& node, Policy&) {
        node.rules.push_back({100, 101, prefix("10.10.0.21/32"), {}});
        std::erase_if(node.routes, [](const BuiltRoute& route) { return route.oif == 3; });
      });
  add("net.rules", "a rule takes a part of the rail's destination", Status::fail,
      "sends 10.20.7.0-10.20.7.255", [](BuiltNode& node, Policy&) {
        node.rules.push_back({50, 200, {}, {}, prefix("10.20.7.0/24")});
        node.routes.push_back({std::nullopt, 2, parse_ipv4("192.168.10.1"), 200});
      });
  add("net.rules", "a rule refuses", Status::fail, "to nowhere", [](BuiltNode& node, Policy&) {
    node.rules.push_back({.priority = 50, .to = prefix("10.20.7.0/24"), .action = FR_ACT_UNREACHABLE});
  });
  add("net.rules", "Pods' addresses have a rule before the rail's own", Status::pass, "",
      [](BuiltNode& node, Policy&) {
        node.rules.push_back({50, 254, {}, {}, prefix("10.244.0.0/16")});
        node.rules.push_back({100, 101, prefix("10.10.0.21/32"), {}});
        node.routes.push_back({std::nullopt, 3, parse_ipv4("10.10.0.1"), 101});
      });
  add("net.rules", "Cilium's marked rule does not shadow", Status::pass, "", [](BuiltNode& node, Policy&) {
    node.rules.push_back({9, 200, {}, 0x200});
    node.routes.push_back({std::nullopt, 2, parse_ipv4("192.168.10.1"), 200});
  });
  add("net.rules", "a VPN's rule for all that is not marked", Status::fail, "answers before",
      [](BuiltNode& node, Policy&) {
        node.rules.push_back({.priority = 9, .table = 51820, .mark = 0xca6c, .inverted = true});
        node.routes.push_back({std::nullopt, 2, parse_ipv4("192.168.10.1"), 51820});
      });
  add("net.rules", "own rule first", Status::pass, "", [](BuiltNode& node, Policy&) {
    node.rules.push_back({100, 101, prefix("10.10.0.21/32"), {}});
    node.routes.push_back({std::nullopt, 3, parse_ipv4("10.10.0.1"), 101});
  });
  add("net.rules", "no rules listed", Status::unknown, "no rule",
      [](BuiltNode& node, Policy&) { node.rules.clear(); });

  add("net.sysctls", "strict filtering", Status::warn, "effectively 1",
      [](BuiltNode& node, Policy&) { node.file("/proc/sys/net/ipv4/conf/all/rp_filter", "1\n"); });
  add("net.sysctls", "rails in one subnet", Status::fail, "any rail answers ARP",
      [](BuiltNode& node, Policy&) { node.rail_link(1).addresses = {prefix("10.10.0.22/24")}; });
  add("net.sysctls", "no-op under all", Status::warn, "without effect",
      [](BuiltNode& node, Policy&) { node.file("/proc/sys/net/ipv4/conf/all/rp_filter", "1\n"); });
  add("net.sysctls", "loose under all", Status::pass, "", [](BuiltNode& node, Policy&) {
    node.file("/proc/sys/net/ipv4/conf/all/rp_filter", "1\n");
    for (int i = 0; i < 4; ++i)
      node.file("/proc/sys/net/ipv4/conf/" + node.netdev(i) + "/rp_filter", "2\n");
  });
  add("net.sysctls", "unreadable", Status::unknown, "binary", [](BuiltNode& node, Policy&) {
    node.file("/proc/sys/net/ipv4/conf/all/rp_filter", std::string("\x01\x02\n"));
  });

  add("net.rail-prefixes", "two rails overlap", Status::fail, "overlaps",
      [](BuiltNode& node, Policy& policy) {
        policy.node->sites.clear();
        node.rail_link(1).addresses = {prefix("10.10.0.22/24")};
      });
  add("net.rail-prefixes", "overlaps the ordinary network", Status::fail, "of eno1",
      [](BuiltNode& node, Policy&) { node.links[1].addresses = {prefix("10.10.0.7/24")}; });
  add("net.rail-prefixes", "cabled as another rail", Status::fail, "has an address of another network",
      [](BuiltNode& node, Policy&) { node.rail_link(1).addresses = {prefix("10.99.0.21/24")}; });
  add("net.rail-prefixes", "interfaces cannot be listed", Status::unknown, "interfaces",
      [](BuiltNode& node, Policy&) { node.links_error = EPERM; });

  add("net.default-route", "falls to default", Status::fail, "default route out of eno1",
      [=](BuiltNode& node, Policy&) { drop_route(node, "10.21.0.0/16"); });
  add("net.default-route", "another rail takes it", Status::fail, "leaves by " + BuiltNode().netdev(0),
      [=](BuiltNode& node, Policy&) {
        drop_route(node, "10.21.0.0/16");
        node.routes.push_back({prefix("10.21.0.0/16"), node.rail_link(0).index, parse_ipv4("10.10.0.1")});
      });
  add("net.default-route", "rail carries it", Status::fail, "carries the default route",
      [](BuiltNode& node, Policy&) {
        node.routes.push_back({std::nullopt, 3, parse_ipv4("10.10.0.1")});
      });
  add("net.default-route", "rail carries half of it", Status::fail, "carries the default route: 128.0.0.0/1",
      [=](BuiltNode& node, Policy&) {
        node.routes.push_back({prefix("128.0.0.0/1"), 3, parse_ipv4("10.10.0.1")});
      });
  add("net.default-route", "a router gives an IPv6 one", Status::warn, "carries the default route: default",
      [](BuiltNode& node, Policy&) {
        node.routes.push_back({parse_ip_prefix("::/0"), 3, parse_ip("fe80::1")});
      });
  add("net.default-route", "and the rails have no address of their own", Status::warn, "carries the default",
      [](BuiltNode& node, Policy& policy) {
        policy.node->sites.clear(), policy.node->host_addresses = true;
        node.rail_link(0).addresses.clear();
        node.routes.push_back({parse_ip_prefix("::/0"), node.rail_link(0).index, parse_ip("fe80::1")});
      });
  add("net.default-route", "routes cannot be listed", Status::unknown, "not permitted",
      [](BuiltNode& node, Policy&) {
        node.error("netlink", routes_request().key(), EPERM, "netlink: Operation not permitted");
      });

  const auto echo = [](BuiltNode& node, int rail, int bytes, bool replied,
                       const std::string& local_error = "") {
    node.answer("icmp",
                node.netdev(rail) + " 10." + std::to_string(10 + rail) + ".0.21 10." +
                    std::to_string(10 + rail) + ".0.1 " + std::to_string(bytes),
                {{"replied", replied}, {"local_error", local_error}});
  };
  const auto no_echo = [](BuiltNode& node, int rail, int bytes) {
    node.error("icmp",
               node.netdev(rail) + " 10." + std::to_string(10 + rail) + ".0.21 10." +
                   std::to_string(10 + rail) + ".0.1 " + std::to_string(bytes),
               EPERM, "icmp socket: Operation not permitted");
  };
  add("net.reachability", "gateway silent", Status::fail, "does not answer",
      [=](BuiltNode& node, Policy&) { echo(node, 2, 84, false); });
  add("net.reachability", "did not leave", Status::fail, "did not leave",
      [=](BuiltNode& node, Policy&) { echo(node, 2, 84, false, "No route to host"); });
  add("net.reachability", "no permission", Status::unknown, "not permitted",
      [=](BuiltNode& node, Policy&) { no_echo(node, 2, 84); });
  add("net.path-mtu", "black hole", Status::fail, "black hole",
      [=](BuiltNode& node, Policy&) { echo(node, 2, 4220, false); });
  add("net.path-mtu", "interface too small", Status::fail, "do not leave",
      [=](BuiltNode& node, Policy&) { echo(node, 2, 4220, false, "Message too long"); });
  add("net.path-mtu", "nobody there", Status::unknown, "even small packets",
      [=](BuiltNode& node, Policy&) { echo(node, 2, 4220, false), echo(node, 2, 84, false); });
  add("net.rail-matrix", "diagonal broken", Status::fail, "same rail", [=](BuiltNode& node, Policy& policy) {
    matrix(node, policy, [](int i, int j) { return i == j && i != 2; });
  });
  add("net.rail-matrix", "mixed", Status::fail, "some rails", [=](BuiltNode& node, Policy& policy) {
    matrix(node, policy, [](int i, int j) { return i == j || i == 0; });
  });
  add("net.rail-matrix", "cross-rail wanted", Status::fail, "do not reach each other",
      [=](BuiltNode& node, Policy& policy) {
        matrix(node, policy, [](int i, int j) { return i == j; });
        policy.node->cross_rail = true;
      });
  // A list of nodes may name this one as well: that leads nowhere, and shows nothing.
  for (const char* check : {"net.rail-routes", "net.rail-matrix"})
    add(check, "the peer is this node",
        std::string_view(check) == "net.rail-routes" ? Status::unknown : Status::skip, "",
        [](BuiltNode& node, Policy& policy) {
          policy.node->sites.clear();
          policy.node->peers.clear();
          policy.node->peers.emplace_back();
          for (int rail = 0; rail < 4; ++rail)
            policy.node->peers.front().push_back(*parse_ipv4("10." + std::to_string(10 + rail) + ".0.21"));
          (void)node;
        });
  add("net.rail-matrix", "no permission", Status::unknown, "no answer",
      [=](BuiltNode&, Policy& policy) { peers(policy); });
  add("net.duplicate-address", "second owner", Status::fail, "02:ff:00:00:00:01",
      [](BuiltNode& node, Policy&) {
        node.answer("arp", node.netdev(0) + " 10.10.0.21", {{"macs", {"02:ff:00:00:00:01"}}});
      });
  add("net.duplicate-address", "our own answer", Status::pass, "", [](BuiltNode& node, Policy&) {
    node.answer("arp", node.netdev(0) + " 10.10.0.21", {{"macs", {node.rail_link(0).mac}}});
  });
  add("net.duplicate-address", "another interface of this machine", Status::warn,
      "answers for 10.10.0.21 too", [](BuiltNode& node, Policy&) {
        node.answer("arp", node.netdev(0) + " 10.10.0.21", {{"macs", {node.rail_link(1).mac}}});
      });
  for (const char* check : {"net.rail-routes", "net.default-route", "net.rules", "net.reachability",
                            "net.path-mtu", "net.duplicate-address"})
    add(check, "link down", Status::unknown, "its link is down",
        [](BuiltNode& node, Policy&) { node.rail_link(1).flags = 0x1002; });
  add("net.duplicate-address", "no permission", Status::unknown, "packet socket",
      [](BuiltNode& node, Policy&) {
        node.error("arp", node.netdev(0) + " 10.10.0.21", EPERM, "packet socket: Operation not permitted");
      });

  add("lossless.pfc", "off", Status::fail, "priority none",
      [](BuiltNode& node, Policy&) { node.pfc[node.netdev(1)] = 0; });
  add("lossless.pfc", "driver silent", Status::unknown, "not supported",
      [](BuiltNode& node, Policy&) { node.pfc.clear(), node.dscp.clear(); });
  add(
      "lossless.pfc", "from a Pod", Status::unknown, "a VF does not show it", [](BuiltNode&, Policy&) {},
      Kind::pod);
  add("lossless.dscp", "trusts PCP", Status::fail, "trust pcp", [](BuiltNode& node, Policy&) {
    node.file(node.pci(node.pf(1)) + "/net/" + node.netdev(1) + "/qos/trust", "pcp\n");
    node.dscp[node.netdev(1)].clear();
  });
  add("lossless.dscp", "wrong priority", Status::fail, "priority 5", [](BuiltNode& node, Policy&) {
    node.dscp[node.netdev(1)] = {{26, 5}};
  });
  add("lossless.dscp", "driver silent", Status::unknown, "", [](BuiltNode& node, Policy&) {
    node.remove(node.pci(node.pf(1)) + "/net/" + node.netdev(1) + "/qos");
    node.dscp.erase(node.netdev(1)), node.pfc.erase(node.netdev(1));
  });
  add("lossless.ecn", "np off", Status::fail, "np 0", [](BuiltNode& node, Policy&) {
    node.file(node.pci(node.pf(1)) + "/net/" + node.netdev(1) + "/ecn/roce_np/enable/3", "0\n");
  });
  add("lossless.ecn", "upstream driver", Status::unknown, "No such file", [](BuiltNode& node, Policy&) {
    node.remove(node.pci(node.pf(1)) + "/net/" + node.netdev(1) + "/ecn");
  });

  add("vf.count", "too few", Status::fail, "4 VFs",
      [](BuiltNode& node, Policy&) { node.file(node.pci(node.pf(1)) + "/sriov_numvfs", "4\n"); });
  add("vf.count", "gigantic file", Status::unknown, "larger than", [](BuiltNode& node, Policy&) {
    node.file(node.pci(node.pf(1)) + "/sriov_numvfs", std::string(1 << 20, '8'));
  });
  add("vf.count", "none asked and SR-IOV off", Status::pass, "SR-IOV is off",
      [](BuiltNode& node, Policy& policy) {
        policy.node->vfs_per_pf = 0;
        for (int rail = 0; rail < BuiltNode::rails; ++rail)
          node.remove(node.pci(node.pf(rail)) + "/sriov_numvfs");
      });
  add("vf.trust", "untrusted", Status::fail, "VF 3",
      [](BuiltNode& node, Policy&) { node.vfs[4][3].trust = 0; });
  add("vf.trust", "not reported", Status::unknown, "does not report",
      [](BuiltNode& node, Policy&) { node.vfs[4][3].trust = 0xffffffff; });
  add("vf.spoof-check", "on", Status::warn, "spoof checking on",
      [](BuiltNode& node, Policy&) { node.vfs[4][3].spoof_check = 1; });
  add("vf.spoof-check", "not reported", Status::unknown, "does not report",
      [](BuiltNode& node, Policy&) { node.vfs[4][3].spoof_check = 0xffffffff; });
  add("vf.link-state", "disabled", Status::fail, "disable",
      [](BuiltNode& node, Policy&) { node.vfs[4][3].link_state = 2; });
  add("vf.link-state", "VF vanished from the list", Status::unknown, "7 of 8",
      [](BuiltNode& node, Policy&) { node.vfs[4].pop_back(); });
  add("vf.vlan", "left behind", Status::fail, "VLAN 100",
      [](BuiltNode& node, Policy&) { node.vfs[4][3].vlan = 100; });
  add(
      "vf.vlan", "from a Pod", Status::unknown, "a VF does not show", [](BuiltNode&, Policy&) {}, Kind::pod);
  add("vf.rate", "limited", Status::fail, "10000 Mbit/s",
      [](BuiltNode& node, Policy&) { node.vfs[4][3].max_rate = 10000; });
  add("vf.rate", "no permission", Status::unknown, "not permitted", [](BuiltNode& node, Policy&) {
    node.error("netlink", link_request(4).key(), EPERM, "netlink: Operation not permitted");
  });
  add("vf.mac", "none set", Status::fail, "no admin MAC", [](BuiltNode& node, Policy& policy) {
    policy.node->vf_mac = true;
    node.vfs[4][3].mac = "00:00:00:00:00:00";
  });
  add("vf.mac", "twice", Status::fail, "set twice",
      [](BuiltNode& node, Policy&) { node.vfs[4][3].mac = node.vfs[4][2].mac; });
  add("vf.mac", "answer is no link", Status::unknown, "not understood", [](BuiltNode& node, Policy&) {
    node.answer("netlink", link_request(4).key(), {{16, "00"}});
  });
  add("vf.orphans", "in no namespace", Status::fail, "in no namespace",
      [](BuiltNode& node, Policy&) { node.remove(node.pci(node.vf(1, 2)) + "/net"); });
  add("vf.orphans", "held by a Pod", Status::pass, "", [](BuiltNode& node, Policy&) {
    node.remove(node.pci(node.vf(1, 2)) + "/net");
    node.file("/var/lib/cni/sriov/pci/" + node.vf(1, 2), "/var/run/netns/cni-1\n");
  });
  add("vf.orphans", "back with an address", Status::fail, "back in the host", [](BuiltNode& node, Policy&) {
    for (auto& link : node.links)
      if (link.name == "ens2f0v2") link.addresses = {prefix("10.11.0.77/24")};
  });
  add("vf.orphans", "holders not known", Status::unknown, "is not known", [](BuiltNode& node, Policy&) {
    node.remove(node.pci(node.vf(1, 2)) + "/net");
    node.remove("/var/lib/cni");
  });
  add("vf.eswitch-mode", "switchdev", Status::fail, "switchdev", [](BuiltNode& node, Policy&) {
    const std::string mode =
        NetlinkPayload(genlmsghdr{}).put(DEVLINK_ATTR_ESWITCH_MODE, std::string("\x01\x00", 2)).bytes();
    node.answer("netlink", eswitch_request(node.pf(1)).key(),
                nlohmann::json::array({nlohmann::json::array({32u, hex(mode)})}));
  });
  add("vf.eswitch-mode", "no devlink", Status::unknown, "devlink", [](BuiltNode& node, Policy&) {
    node.error("netlink", eswitch_request(node.pf(1)).key(), EOPNOTSUPP,
               "generic netlink family devlink: Operation not supported");
  });

  const auto status = [](BuiltNode& node, const std::function<void(nlohmann::json&)>& change) {
    auto told = nlohmann::json::parse(FileTree(node.root()).text("/etc/podinfo/network-status").value);
    change(told);
    node.file("/etc/podinfo/network-status", told.dump());
  };
  add(
      "pod.attachment", "device plugin and CNI disagree", Status::fail, "annotation -> VF",
      [=](BuiltNode& node, Policy&) {
        status(node,
               [](nlohmann::json& told) { told[1]["device-info"]["pci"]["pci-address"] = "0000:1a:00.5"; });
      },
      Kind::pod);
  add(
      "pod.attachment", "wrong RDMA device", Status::fail, "annotation -> RDMA device",
      [=](BuiltNode& node, Policy&) {
        status(node, [](nlohmann::json& told) { told[1]["device-info"]["pci"]["rdma-device"] = "mlx5_99"; });
      },
      Kind::pod);
  add(
      "pod.attachment", "MAC changed", Status::fail, "annotation -> MAC",
      [=](BuiltNode& node, Policy&) {
        status(node, [](nlohmann::json& told) { told[2]["mac"] = "02:00:00:00:00:77"; });
      },
      Kind::pod);
  add(
      "pod.attachment", "address gone", Status::fail, "annotation -> address",
      [](BuiltNode& node, Policy&) { node.rail_link(2).addresses.clear(); }, Kind::pod);
  add(
      "pod.attachment", "an address that nobody gave", Status::fail, "address -> annotation: 10.12.0.99",
      [](BuiltNode& node, Policy&) { node.rail_link(2).addresses.push_back(*parse_prefix("10.12.0.99/24")); },
      Kind::pod);
  add(
      "pod.attachment", "one address for two rails", Status::fail, "was given to net1 and to net2",
      [=](BuiltNode& node, Policy&) {
        status(node, [](nlohmann::json& told) { told[2]["ips"] = told[1]["ips"]; });
      },
      Kind::pod);
  add(
      "pod.attachment", "interface gone", Status::fail, "is not in this namespace",
      [](BuiltNode& node, Policy&) {
        std::erase_if(node.links, [](const BuiltLink& link) { return link.name == "net3"; });
      },
      Kind::pod);
  add(
      "pod.attachment", "GID not there", Status::fail, "address -> GID",
      [](BuiltNode& node, Policy&) { node.remove(node.port(1) + "gids/0"); }, Kind::pod);
  add(
      "pod.attachment", "stale annotation has three", Status::fail, "3 attachments",
      [=](BuiltNode& node, Policy&) { status(node, [](nlohmann::json& told) { told.erase(4); }); },
      Kind::pod);
  add(
      "pod.attachment", "late annotation is waited for", Status::pass, "",
      [](BuiltNode& node, Policy&) {
        const std::string text = FileTree(node.root()).text("/etc/podinfo/network-status").value;
        node.remove("/etc/podinfo/network-status");
        node.file("/later/etc/podinfo/network-status", text);
      },
      Kind::pod);
  add(
      "pod.attachment", "annotations file with quotes", Status::pass, "",
      [](BuiltNode& node, Policy&) {
        const auto told =
            nlohmann::json::parse(FileTree(node.root()).text("/etc/podinfo/network-status").value);
        node.remove("/etc/podinfo/network-status");
        node.file("/etc/podinfo/annotations",
                  "a=\"b\"\nk8s.v1.cni.cncf.io/network-status=" + nlohmann::json(told.dump(4)).dump() + "\n");
      },
      Kind::pod);
  add(
      "pod.attachment", "not JSON", Status::unknown, "no JSON",
      [](BuiltNode& node, Policy&) { node.file("/etc/podinfo/network-status", "<html>"); }, Kind::pod);
  add(
      "pod.attachment", "missing", Status::unknown, "No such file",
      [](BuiltNode& node, Policy&) { node.remove("/etc/podinfo/network-status"); }, Kind::pod);
  add(
      "pod.devices", "another VF", Status::fail, "no interface here is on it",
      [](BuiltNode& node, Policy&) {
        node.answer("environment", "",
                    {{"KUBERNETES_SERVICE_HOST", "10.96.0.1"}, {"PCIDEVICE_MLC_IO_RAIL0", "0000:1a:00.7"}});
      },
      Kind::pod);
  add(
      "pod.devices", "variable missing", Status::fail, "not set",
      [](BuiltNode&, Policy& policy) { policy.node->resources = {"PCIDEVICE_MLC_IO_RAIL9"}; }, Kind::pod);
  add(
      "pod.devices", "no address", Status::unknown, "is no PCI address",
      [](BuiltNode& node, Policy&) {
        nlohmann::json environment{{"KUBERNETES_SERVICE_HOST", "10.96.0.1"}, {"PCIDEVICE_OTHER", "nonsense"}};
        for (int rail = 0; rail < 4; ++rail)
          environment["PCIDEVICE_MLC_IO_RAIL" + std::to_string(rail)] = node.vf(rail, 0);
        node.answer("environment", "", environment);
      },
      Kind::pod);

  add("overlay.default-route", "another device", Status::fail, "out of eno1",
      [](BuiltNode&, Policy& policy) { policy.node->default_device = "bond0"; });
  add("overlay.default-route", "cannot be read", Status::unknown, "not permitted",
      [](BuiltNode& node, Policy&) {
        node.error("netlink", routes_request().key(), EPERM, "netlink: Operation not permitted");
      });
  add("overlay.mtu", "forgot the overhead", Status::fail, "MTU 1500 over eno1", [](BuiltNode& node, Policy&) {
    for (auto& route : node.routes)
      route.mtu = 0;
  });
  add("overlay.mtu", "Cilium not running", Status::fail, "not there", [](BuiltNode& node, Policy&) {
    std::erase_if(node.links, [](const BuiltLink& link) { return link.kind == "vxlan"; });
  });
  add(
      "overlay.mtu", "in a Pod", Status::pass, "",
      [](BuiltNode&, Policy& policy) { policy.node->underlay_mtu = 1500; }, Kind::pod);
  add("overlay.mtu", "no default route", Status::unknown, "underlay is not known",
      [](BuiltNode& node, Policy&) {
        std::erase_if(node.routes, [](const BuiltRoute& route) { return !route.destination; });
      });

  const auto gpu = [](const char* field, nlohmann::json value) {
    return [=](BuiltNode& node, Policy&) { node.gpus()["gpus"][5][field] = value; };
  };
  const auto gpu_silent = [](const char* field) {
    return [=](BuiltNode& node, Policy&) { node.gpus()["gpus"][5].erase(field); };
  };
  const auto no_nvml = [](BuiltNode& node, Policy&) {
    node.error("nvml", "", ENOENT, "NVML cannot be loaded: not found");
  };
  add("gpu.count", "seven", Status::fail, "7 GPUs",
      [](BuiltNode& node, Policy&) { node.gpus()["gpus"].erase(5); });
  add("gpu.count", "none on the bus", Status::fail, "no NVIDIA GPU", [=](BuiltNode& node, Policy& policy) {
    for (int i = 0; i < 8; ++i)
      node.remove("/sys/bus/pci/devices/" + node.gpu(i));
    no_nvml(node, policy);
  });
  add("gpu.count", "another product", Status::fail, "A100", gpu("name", "NVIDIA A100"));
  add("gpu.count", "device plugin gave four", Status::fail, "gave 4", [](BuiltNode& node, Policy&) {
    node.answer("environment", "", {{"NVIDIA_VISIBLE_DEVICES", "0,1,2,3"}});
  });
  add("gpu.count", "library absent", Status::unknown, "NVML cannot be loaded", no_nvml);
  add("gpu.ecc", "uncorrectable", Status::fail, "2 uncorrectable", gpu("ecc_uncorrected", 2));
  add("gpu.ecc", "off", Status::fail, "ECC off", gpu("ecc_enabled", 0));
  add("gpu.ecc", "not reported", Status::unknown, "does not report", gpu_silent("ecc_enabled"));
  add("gpu.row-remap", "failed", Status::fail, "failed", gpu("remap_failed", 1));
  add("gpu.row-remap", "pending", Status::fail, "pending", gpu("remap_pending", 1));
  add("gpu.row-remap", "not reported", Status::unknown, "does not report", gpu_silent("remap_pending"));
  add("gpu.row-remap", "count not reported", Status::unknown, "does not report",
      gpu_silent("remapped_uncorrectable"));
  add("gpu.row-remap", "a misnamed key", Status::unknown, "did you mean 'remapped_uncorrectable'?",
      [](BuiltNode& node, Policy&) {
        auto& sick = node.gpus()["gpus"][5];
        sick.erase("remapped_uncorrectable"), sick["remapped_uncorrected"] = 512;
      });
  add("gpu.xid", "fell off the bus", Status::fail, "XID 79", [](BuiltNode& node, Policy&) {
    node.answer("kernel-log", "",
                {"NVRM: Xid (PCI:0000:1b:00): 79, pid='<unknown>', GPU has fallen off the bus."});
  });
  add("gpu.xid", "application error", Status::warn, "XID 31", [](BuiltNode& node, Policy&) {
    node.answer("kernel-log", "", {"NVRM: Xid (PCI:0000:1b:00): 31, pid=1, MMU Fault"});
  });
  add("gpu.xid", "no permission", Status::unknown, "not permitted", [](BuiltNode& node, Policy&) {
    node.error("kernel-log", "", EPERM, "/dev/kmsg: Operation not permitted");
  });
  add("gpu.throttle", "hot", Status::fail, "thermal", gpu("throttle_reasons", 0x48));
  add("gpu.throttle", "not reported", Status::unknown, "does not report", gpu_silent("throttle_reasons"));
  add("gpu.clocks", "locked", Status::fail, "1200 MHz", gpu("sm_clock_max", 1200));
  add("gpu.clocks", "held by an application clock", Status::fail,
      "application clock 1200 where 1980 is usual", [](BuiltNode& node, Policy&) {
        node.gpus()["gpus"][0]["sm_clock_application"] = 1200;
        node.gpus()["gpus"][0]["sm_clock_application_default"] = 1980;
      });
  add("gpu.clocks", "below the neighbours'", Status::fail, "application clock 1200 where 1980 is usual",
      gpu("sm_clock_application", 1200));
  add("gpu.clocks", "the factory's is below the maximum", Status::pass, "", [](BuiltNode& node, Policy&) {
    for (auto& one : node.gpus()["gpus"])
      one["sm_clock_application"] = one["sm_clock_application_default"] = 1095;
  });
  add("gpu.clocks", "not reported", Status::unknown, "does not report", gpu_silent("sm_clock_max"));
  add("gpu.persistence", "off", Status::fail, "off", gpu("persistence", 0));
  add("gpu.persistence", "not reported", Status::unknown, "does not report", gpu_silent("persistence"));
  add("gpu.pcie-link", "narrow", Status::fail, "x8", gpu("pcie_width", 8));
  add("gpu.pcie-link", "replays", Status::warn, "3 replays", gpu("pcie_replays", 3));
  add("gpu.pcie-link", "not reported", Status::unknown, "does not report", gpu_silent("pcie_width"));
  add("gpu.nvlink", "one inactive", Status::fail, "17 links", gpu("nvlinks_active", 17));
  add("gpu.nvlink", "not reported", Status::unknown, "does not report", gpu_silent("nvlinks_active"));
  add("gpu.fabric", "in progress", Status::fail, "in progress", gpu("fabric_state", 2));
  add("gpu.fabric", "not reported", Status::unknown, "does not report", gpu_silent("fabric_state"));
  add("gpu.mig", "on", Status::fail, "on", gpu("mig", 1));
  add("gpu.mig", "not reported", Status::unknown, "does not report", gpu_silent("mig"));
  add("gpu.driver", "another version", Status::fail, "550.90.07",
      [](BuiltNode&, Policy& policy) { policy.node->driver = "535.183.01"; });
  add("gpu.driver", "updated under a loaded module", Status::fail, "module another",
      [](BuiltNode& node, Policy&) { node.gpus()["driver"] = "560.1"; });
  add("gpu.driver", "module not readable", Status::unknown, "No such file",
      [](BuiltNode& node, Policy&) { node.remove("/proc/driver/nvidia/version"); });

  add("image.drift", "playbook took a new driver", Status::fail, "555.42.06", [](BuiltNode& node, Policy&) {
    node.file("/proc/driver/nvidia/version",
              "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  555.42.06  Release Build\n");
  });
  add("image.drift", "kubelet changed", Status::fail, "1.30.0", [](BuiltNode& node, Policy&) {
    node.file("/var/lib/dpkg/status",
              "Package: kubelet\nStatus: install ok installed\nVersion: 1.30.0\n\nPackage: "
              "containerd.io\nStatus: install ok installed\nVersion: 1.7.18-1\n");
  });
  add("image.drift", "CNI binary replaced", Status::fail, "1001",
      [](BuiltNode& node, Policy&) { node.file("/opt/cni/bin/sriov", std::string(1001, 'x')); });
  add("image.drift", "a NIC is gone", Status::unknown, "the device is not there any more",
      [](BuiltNode& node, Policy&) { drop_nic(node, 2); });
  add("image.drift", "no lock", Status::unknown, "No such file",
      [](BuiltNode& node, Policy&) { node.remove("/etc/mlc-bench/lock.yaml"); });
  add("image.drift", "lock is nonsense", Status::unknown, "lock.yaml",
      [](BuiltNode& node, Policy&) { node.file("/etc/mlc-bench/lock.yaml", "lock: other\n"); });
  add("image.drift", "lock without versions", Status::unknown, "empty", [](BuiltNode& node, Policy&) {
    node.file("/etc/mlc-bench/lock.yaml", "lock: mlc-bench/lock/v1\nversions: {}\n");
  });

  add("host.limits", "few files", Status::fail, "1024", [](BuiltNode& node, Policy&) {
    node.answer("limit", "nofile", {{"soft", 1024}, {"hard", 1024}});
  });
  add("host.limits", "memlock limited", Status::fail, "8388608", [](BuiltNode& node, Policy&) {
    node.answer("limit", "memlock", {{"soft", 8u << 20}, {"hard", 8u << 20}});
  });
  add("host.limits", "not answered", Status::unknown, "not permitted", [](BuiltNode& node, Policy&) {
    node.error("limit", "nofile", EPERM, "getrlimit: Operation not permitted");
  });
  add("host.shm", "a container's 64 MiB", Status::fail, "0.06 GiB", [](BuiltNode& node, Policy&) {
    node.answer("filesystem", "/dev/shm", {{"bytes", 64u << 20}, {"free", 0}, {"type", 0x01021994}});
  });
  add("host.shm", "not there", Status::unknown, "No such file", [](BuiltNode& node, Policy&) {
    node.error("filesystem", "/dev/shm", ENOENT, "/dev/shm: No such file or directory");
  });
  add("host.huge-pages", "too few", Status::fail, "0 pages",
      [](BuiltNode&, Policy& policy) { policy.node->huge_pages = 512; });
  add("host.huge-pages", "truncated meminfo", Status::unknown, "has no HugePages_Total",
      [](BuiltNode& node, Policy&) { node.file("/proc/meminfo", "MemTotal: 1 kB\n"); });
  add("host.clock", "free running", Status::fail, "not synchronised", [](BuiltNode& node, Policy&) {
    node.answer("clock", "", {{"synchronised", false}, {"offset_us", 0.0}, {"max_error_us", 16e6}});
  });
  add("host.clock", "far off", Status::fail, "offset", [](BuiltNode& node, Policy&) {
    node.answer("clock", "", {{"synchronised", true}, {"offset_us", -90000.0}, {"max_error_us", 1.0}});
  });
  add("host.clock", "not answered", Status::unknown, "adjtimex",
      [](BuiltNode& node, Policy&) { node.error("clock", "", EPERM, "adjtimex: Operation not permitted"); });
  add("host.disks", "one gone", Status::fail, "3 NVMe disks",
      [](BuiltNode& node, Policy&) { node.remove("/sys/class/nvme/nvme2"); });
  add("host.disks", "dead controller", Status::fail, "controller is dead",
      [](BuiltNode& node, Policy&) { node.file("/sys/class/nvme/nvme2/state", "dead\n"); });
  add("host.disks", "read-only", Status::fail, "read-only",
      [](BuiltNode& node, Policy&) { node.file("/sys/block/nvme2n1/ro", "1\n"); });
  add("host.disks", "too small", Status::fail, "3.84 TB",
      [](BuiltNode&, Policy& policy) { policy.node->disk_bytes = 7ull << 40; });
  add("host.disks", "state unreadable", Status::unknown, "empty",
      [](BuiltNode& node, Policy&) { node.file("/sys/class/nvme/nvme2/state", ""); });
  const auto mounts = [](const char* text) {
    return [text](BuiltNode& node, Policy& policy) {
      policy.node->mounts = {{"/data0", "xfs"}}, node.file("/proc/self/mounts", text);
    };
  };
  add("host.mounts", "not mounted", Status::fail, "not mounted", mounts("/dev/sda2 / ext4 rw 0 0\n"));
  add("host.mounts", "another type", Status::fail, "ext4", mounts("/dev/nvme0n1 /data0 ext4 rw 0 0\n"));
  add("host.mounts", "read-only", Status::fail, "read-only",
      mounts("/dev/nvme0n1 /data0 xfs ro,noatime 0 0\n"));
  add("host.mounts", "unreadable", Status::unknown, "empty", mounts(""));
  add("host.name", "loopback", Status::fail, "127.0.1.1",
      [](BuiltNode& node, Policy&) { node.answer("resolve", "gpu-a", {"127.0.1.1"}); });
  add("host.name", "does not resolve", Status::fail, "not known", [](BuiltNode& node, Policy&) {
    node.error("resolve", "gpu-a", ENOENT, "gpu-a: Name or service not known");
  });
  add("host.name", "resolver down", Status::unknown, "Temporary failure", [](BuiltNode& node, Policy&) {
    node.error("resolve", "gpu-a", EAGAIN, "gpu-a: Temporary failure in name resolution");
  });
  return cases;
}

std::unique_ptr<BuiltNode> build(const Case& one) {
  if (one.kind == Kind::pod) return BuiltNode::pod();
  return std::make_unique<BuiltNode>(one.check.starts_with("vf.") ? 8 : 1);  // files are what building costs
}

class EveryCheck : public testing::TestWithParam<Case> {};

TEST_P(EveryCheck, SaysWhatItShould) {
  const Case& one = GetParam();
  auto node = build(one);
  Policy policy = h100_policy();
  one.change(*node, policy);
  const auto findings = run_check(one.check, *node->host(), policy);
  EXPECT_EQ(worst_of(findings), one.expected) << testing::PrintToString(one);
  bool said = one.says.empty();
  for (const auto& finding : findings) {
    SCOPED_TRACE(finding.subject + ": " + std::string(to_string(finding.status)) + ": " + finding.observed +
                 " | " + finding.expected + " | " + finding.remedy);
    EXPECT_EQ(finding.check, one.check);
    EXPECT_FALSE(finding.subject.empty());
    EXPECT_FALSE(finding.observed.empty());
    // What is wrong says where it was read and what to do next.
    const bool wrong =
        finding.status == Status::fail || finding.status == Status::warn || finding.status == Status::unknown;
    EXPECT_EQ(finding.remedy.empty(), !wrong);
    EXPECT_TRUE(finding.status == Status::skip || !finding.source.empty());
    said = said || (finding.status == one.expected && finding.observed.find(one.says) != std::string::npos);
    EXPECT_TRUE(one.expected != Status::pass || finding.status == Status::pass ||
                finding.status == Status::skip);
  }
  EXPECT_TRUE(said) << "nothing " << to_string(one.expected) << " says '" << one.says << "'";
  if (HasFailure())
    for (const auto& finding : findings)
      std::printf("  %s %s: %s (%s)\n", std::string(to_string(finding.status)).c_str(),
                  finding.subject.c_str(), finding.observed.c_str(), finding.expected.c_str());
}

INSTANTIATE_TEST_SUITE_P(Case, EveryCheck, testing::ValuesIn(all_cases()), [](const auto& param) {
  std::string name = param.param.check + "_" + param.param.name;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
});

TEST(AllChecks, EachHasAPassAFailAndAnUnknownCase) {
  // These advise and never refuse: their worst is a warning.
  const std::set<std::string> advise{"pci.max-read-request", "pci.relaxed-ordering", "vf.spoof-check"};
  std::map<std::string, std::set<Status>> seen;
  for (const auto& one : all_cases())
    seen[one.check].insert(one.expected);
  for (const auto* check : all_checks()) {
    const std::string name(check->name);
    EXPECT_TRUE(seen[name].contains(Status::pass)) << name;
    EXPECT_TRUE(seen[name].contains(advise.contains(name) ? Status::warn : Status::fail)) << name;
    EXPECT_TRUE(seen[name].contains(Status::unknown)) << name;
  }
}

TEST(AllChecks, SayWhatTheyAreFor) {
  std::set<std::string_view> names;
  for (const auto* check : all_checks()) {
    EXPECT_TRUE(names.insert(check->name).second) << check->name;
    EXPECT_NE(check->name.find('.'), std::string_view::npos);
    for (const auto text : {check->summary, check->why, check->reads, check->fix})
      EXPECT_GT(text.size(), 5u) << check->name;
  }
  EXPECT_GE(names.size(), 60u) << "a check was lost";
}

}  // namespace

}  // namespace mlc::test
