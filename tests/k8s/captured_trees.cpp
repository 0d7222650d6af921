// Writes captured nodes for the story tests: DIR/node/healthy and DIR/node/<what is wrong>, each as
// `mlc-bench capture` leaves one, and DIR/pod/<...> as they are seen from inside a Pod with four rails.
// Prints
// "<side>/<tree> <check that finds it>" a line. What was in DIR is gone. usage: captured_trees DIR
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/validators/built_node.hpp"

namespace {

using namespace mlc;
using namespace mlc::test;

struct Tree {
  const char *name, *check;
  std::function<void(BuiltNode&)> change;
};

void remove_routes_to(BuiltNode& node, const char* destination) {
  std::erase_if(node.routes,
                [&](const BuiltRoute& route) { return route.destination == parse_prefix(destination); });
}

std::vector<Tree> trees_of_nodes() {
  return {
      {"healthy", "-", [](BuiltNode&) {}},
      {"nic-gone", "pci.inventory", [](BuiltNode& node) { node.remove("/sys/class/infiniband/mlx5_2"); }},
      {"nic-at-half-width", "pci.link",
       [](BuiltNode& node) { node.file(node.pci(node.pf(2)) + "/current_link_width", "8\n"); }},
      {"port-down", "rdma.port-state",
       [](BuiltNode& node) { node.file(node.port(3) + "state", "1: DOWN\n"); }},
      {"port-flapped", "rdma.flaps",
       [](BuiltNode& node) { node.later("/sys/class/net/" + node.netdev(2) + "/carrier_changes", "2\n"); }},
      {"route-missing", "net.rail-routes", [](BuiltNode& node) { remove_routes_to(node, "10.21.0.0/16"); }},
      {"vf-in-a-vlan", "vf.vlan", [](BuiltNode& node) { node.vfs[4][3].vlan = 100; }},
      {"nvlink-down", "gpu.nvlink", [](BuiltNode& node) { node.gpus()["gpus"][5]["nvlinks_active"] = 17; }},
  };
}

std::vector<Tree> trees_of_pods() {
  const auto told = [](BuiltNode& node, const std::function<void(nlohmann::json&)>& change) {
    auto status = nlohmann::json::parse(FileTree(node.root()).text("/etc/podinfo/network-status").value);
    change(status);
    node.file("/etc/podinfo/network-status", status.dump(4));
  };
  return {
      {"healthy", "-", [](BuiltNode&) {}},
      {"rail-missing", "pod.attachment",
       [](BuiltNode& node) {
         std::erase_if(node.links, [](const BuiltLink& link) { return link.name == "net3"; });
       }},
      {"vf-of-another-rail", "pod.attachment",
       [=](BuiltNode& node) {
         told(node, [](auto& status) { status[1]["device-info"]["pci"]["pci-address"] = "0000:1a:00.5"; });
       }},
      {"address-that-nobody-gave", "pod.attachment",
       [](BuiltNode& node) { node.rail_link(2).addresses.push_back(*parse_prefix("10.12.0.99/24")); }},
      {"address-of-two", "net.duplicate-address",
       [](BuiltNode& node) {
         node.answer("arp", "net1 10.10.0.31", {{"macs", {"02:00:00:00:99:99"}}});
       }},
      {"gateway-silent", "net.reachability",
       [](BuiltNode& node) {
         node.answer("icmp", "net2 10.11.0.31 10.11.0.1 84", {{"replied", false}, {"local_error", ""}});
       }},
      {"port-down", "rdma.port-state",
       [](BuiltNode& node) { node.file(node.port(3) + "state", "1: DOWN\n"); }},
      {"route-missing", "net.rail-routes", [](BuiltNode& node) { remove_routes_to(node, "10.21.0.0/16"); }},
      {"nvlink-down", "gpu.nvlink", [](BuiltNode& node) { node.gpus()["gpus"][5]["nvlinks_active"] = 17; }},
  };
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 64;
  const std::filesystem::path all = argv[1];
  std::filesystem::remove_all(all);
  for (const bool pods : {false, true}) {
    const std::string side = pods ? "pod" : "node";
    std::filesystem::create_directories(all / side);
    for (const auto& tree : pods ? trees_of_pods() : trees_of_nodes()) {
      const auto node = pods ? BuiltNode::pod() : std::make_unique<BuiltNode>(8);
      tree.change(*node);
      node->write(all / side / tree.name, h100_policy());
      std::printf("%s/%s %s\n", side.c_str(), tree.name, tree.check);
    }
  }
  return 0;
}
