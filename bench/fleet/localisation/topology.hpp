// Which leaf each rail of each node is plugged into, and how many uplinks a leaf has. Pure: the texts it is
// read from (topology_readers.hpp) are given.
#pragma once

#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace mlc::fleet {

// A source that cannot be used, by name: a node twice, too few nodes, text that is no topology.
struct TopologyError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// One line of a source: all rails of a node, or one of them, in a leaf.
struct Placement {
  std::string node;
  int rail = -1;  // -1: all
  std::string leaf, port;
  bool operator==(const Placement&) const = default;
};

struct LeafPlace {
  std::string name;
  int rail = 0;
  bool operator==(const LeafPlace&) const = default;
};

struct Topology {
  int nodes = 0, rails = 0;
  int uplinks = 0;                // of a leaf and rail, that queue pairs can be put on; 0: not known
  std::vector<int> leaf;          // [node * rails + rail]: position in leaves; -1: not known
  std::vector<LeafPlace> leaves;  // a leaf and a rail: rail-optimised fabrics have a leaf for each rail
  std::vector<std::string> port;  // [node * rails + rail] of the leaf; empty: not known
  std::vector<int> group;         // [node]: same number, same leaf on every rail; -1: not known
  int groups = 0;
  std::string source = "none";
  double coverage = 0;  // share of the nodes
  std::vector<std::string> warnings;

  // Of an end in leaf and port.
  std::size_t place(int node, int rail) const {
    const int position = node * rails + rail;
    return static_cast<std::size_t>(position);
  }
  int leaf_of(int node, int rail) const { return leaf[place(node, rail)]; }
  bool same_leaf(int one, int other, int rail) const {
    return leaf_of(one, rail) >= 0 && leaf_of(one, rail) == leaf_of(other, rail);
  }
  bool has_groups() const { return groups > 0; }
};

inline constexpr double least_coverage = .9;

Topology unknown_topology(int nodes, int rails);

// Nodes of the source that are not here are warned of by name, and so are those that it lacks. Throws
// TopologyError: a rail of a node twice, a rail that no node has, less than least_coverage of the nodes.
Topology topology_of(std::span<const std::string> nodes, int rails, std::span<const Placement> placements,
                     const std::string& source);

// Regular: so many nodes a leaf, in the order of their numbers. What the simulator plants faults in.
Topology regular_topology(int nodes, int rails, int leaf_size, int uplinks);

// The first is used; each other that groups the nodes in another way is warned of, with an example.
Topology chosen(std::vector<Topology> sources);

// Numbers groups anew from leaf; who makes or changes leaf calls it.
void group_by_leaves(Topology& topology);

}  // namespace mlc::fleet
