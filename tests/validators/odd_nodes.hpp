// Nodes that are wired otherwise than four RoCE PFs with an IPv4 address each. They are built, since there is
// no such hardware here, and kept as captured trees (tests/fixtures/nodes).
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "tests/validators/built_node.hpp"

namespace mlc::test {

struct OddNode {
  std::string_view name;    // of the fixture
  std::string_view policy;  // of the same folder, without ".yaml"
  std::unique_ptr<BuiltNode> (*make)();
  std::vector<std::string> fails;  // the checks that fail under that policy: its faults, and nothing else
};

const std::vector<OddNode>& odd_nodes();

// A fifth NIC of the rails' own model and rate, on a root port without GPUs: mlx5_9, storage0,
// 192.168.50.21/24.
void add_storage_nic(BuiltNode& node);
// Off the bus, and all that depended on it.
void drop_nic(BuiltNode& node, int rail);

}  // namespace mlc::test
