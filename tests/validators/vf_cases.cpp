// Cases of VFs and of Pods.
#include <linux/devlink.h>
#include <linux/genetlink.h>

#include <cerrno>

#include "tests/validators/check_cases.hpp"
#include "tests/validators/odd_nodes.hpp"

namespace mlc::test {

namespace {

Prefix prefix(const char* text) { return *parse_prefix(text); }

}  // namespace

void vf_cases(Cases& add) {
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
}

}  // namespace mlc::test
