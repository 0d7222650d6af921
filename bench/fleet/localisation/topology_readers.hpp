// Topologies as others write them. From text and values alone: who calls has read the file, or asked the API
// server. All throw TopologyError with the line.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/fleet/localisation/topology.hpp"

namespace mlc::fleet {

// Slurm's topology.conf of the tree plugin: "SwitchName=leaf1 Nodes=n[0-31]", "SwitchName=spine
// Switches=leaf[1-2]". A switch with nodes is a leaf.
std::vector<Placement> placements_from_slurm(std::string_view text);

// "node,rail,leaf[,port]", with or without that line at the top; rail empty or "*": all rails.
std::vector<Placement> placements_from_csv(std::string_view text);

// Either of the two, by what its first line looks like.
std::vector<Placement> placements_from_lines(std::string_view text);

using Labels = std::map<std::string, std::string>;  // of one node

// Which labels say what is next to a node, the first that covers enough: Topograph's, GKE's, EKS's.
// topology.kubernetes.io/zone is too coarse to be one of them.
std::span<const std::string_view> leaf_labels();

// By one label. Nodes without it are left out.
std::vector<Placement> placements_from_labels(const std::map<std::string, Labels>& nodes,
                                              std::string_view label);

// Of `kubectl get nodes -o json`, by node: of its labels those that say what is next to it.
std::map<std::string, Labels> labels_from_nodes(std::string_view json);

// By the first label that covers least_coverage of the nodes; a later one that groups them otherwise is a
// warning. Throws TopologyError where none does.
Topology topology_from_labels(std::span<const std::string> nodes, int rails,
                              const std::map<std::string, Labels>& labels);

// From any of the three: Slurm's, CSV, or Kubernetes' nodes. `source`: what the text is of, a file's name.
Topology topology_from_text(std::span<const std::string> nodes, int rails, std::string_view text,
                            const std::string& source);

// The same topology in fewer words where there are such: of Kubernetes' nodes the labels alone. For who
// carries it elsewhere. Throws where topology_from_text would, whatever the nodes are.
std::string topology_to_carry(std::string_view text);

}  // namespace mlc::fleet
