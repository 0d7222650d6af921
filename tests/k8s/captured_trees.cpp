// Writes captured nodes for the story tests: DIR/healthy and DIR/<what is wrong>, each as `mlc-bench capture`
// leaves one, and prints "<tree> <check that finds it>" a line. usage: captured_trees DIR
#include <algorithm>
#include <cstdio>
#include <functional>

#include "tests/validators/built_node.hpp"

int main(int argc, char** argv) {
  using namespace mlc;
  using namespace mlc::test;
  if (argc != 2) return 64;
  struct Tree {
    const char *name, *check;
    std::function<void(BuiltNode&)> change;
  };
  const std::vector<Tree> trees{
      {"healthy", "-", [](BuiltNode&) {}},
      {"nic-gone", "pci.inventory", [](BuiltNode& node) { node.remove("/sys/class/infiniband/mlx5_2"); }},
      {"nic-at-half-width", "pci.link",
       [](BuiltNode& node) { node.file(node.pci(node.pf(2)) + "/current_link_width", "8\n"); }},
      {"port-down", "rdma.port-state",
       [](BuiltNode& node) { node.file(node.port(3) + "state", "1: DOWN\n"); }},
      {"port-flapped", "rdma.flaps",
       [](BuiltNode& node) { node.later("/sys/class/net/" + node.netdev(2) + "/carrier_changes", "2\n"); }},
      {"route-missing", "net.rail-routes",
       [](BuiltNode& node) {
         std::erase_if(node.routes, [](const BuiltRoute& route) {
           return route.destination == parse_prefix("10.21.0.0/16");
         });
       }},
      {"vf-in-a-vlan", "vf.vlan", [](BuiltNode& node) { node.vfs[4][3].vlan = 100; }},
      {"nvlink-down", "gpu.nvlink", [](BuiltNode& node) { node.gpus()["gpus"][5]["nvlinks_active"] = 17; }},
  };
  for (const auto& tree : trees) {
    BuiltNode node(8);
    tree.change(node);
    node.write(std::string(argv[1]) + "/" + tree.name, h100_policy());
    std::printf("%s %s\n", tree.name, tree.check);
  }
  return 0;
}
