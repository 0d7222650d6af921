// Cases of the RDMA ports and of losslessness.
#include <cerrno>

#include "tests/validators/check_cases.hpp"
#include "tests/validators/odd_nodes.hpp"

namespace mlc::test {

void rdma_cases(Cases& add) {
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
                       {"dmabuf", "unsupported"},
                       {"dmabuf_why", "Operation not supported"}});
    node.answer("verbs", "", verbs);
  });
  // One rail is known to lack it, and the others could not be asked.
  for (const int lacking : {0, 3})
    add("rdma.gpudirect", lacking == 0 ? "the first lacks it" : "the last lacks it", Status::fail,
        "Operation not supported", [lacking](BuiltNode& node, Policy&) {
          auto verbs = nlohmann::json::array();
          for (int i = 0; i < 4; ++i)
            verbs.push_back({{"device", node.rdma(i)},
                             {"active_mtu", 4096},
                             {"dmabuf", i == lacking ? "unsupported" : "unknown"},
                             {"dmabuf_why", i == lacking ? "Operation not supported" : "Invalid argument"}});
          node.answer("verbs", "", verbs);
        });
  add("rdma.gpudirect", "closed modules", Status::fail, "closed modules", [](BuiltNode& node, Policy&) {
    node.error("verbs", "", ENOENT, "libibverbs cannot be loaded");
    node.file("/proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.90.07\n");
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
}

}  // namespace mlc::test
