#include "bench/fleet/localisation/topology.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "reports/record/text.hpp"

namespace mlc::fleet {

namespace {

constexpr std::size_t most_named = 5;

// "gpu-1, gpu-2 and 7 more"
std::string some_of(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), most_named); ++i)
    text += (i == 0 ? "" : ", ") + printable(names[i], 64);
  if (names.size() > most_named) text += " and " + std::to_string(names.size() - most_named) + " more";
  return text;
}

std::string first_label(const std::string& name) { return name.substr(0, name.find('.')); }

// A node may be "gpu-1" in one place and "gpu-1.cluster.local" in another; what fits two nodes fits none.
class NodeNames {
 public:
  explicit NodeNames(std::span<const std::string> nodes) {
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      exact_.emplace(nodes[i], static_cast<int>(i));
      const auto [at, fresh] = labels_.emplace(first_label(nodes[i]), static_cast<int>(i));
      if (!fresh) at->second = -1;
    }
  }
  int find(const std::string& name) const {
    if (const auto at = exact_.find(name); at != exact_.end()) return at->second;
    const auto at = labels_.find(first_label(name));
    return at != labels_.end() ? at->second : -1;
  }

 private:
  std::unordered_map<std::string, int> exact_, labels_;
};

std::string of_source(const std::string& source) { return "topology from " + printable(source) + ": "; }

}  // namespace

Topology unknown_topology(int nodes, int rails) {
  Topology topology{.nodes = nodes, .rails = rails};
  topology.leaf.assign(topology.place(nodes, 0), -1);
  topology.port.assign(topology.leaf.size(), "");
  topology.group.assign(static_cast<std::size_t>(nodes), -1);
  return topology;
}

void group_by_leaves(Topology& topology) {
  std::map<std::vector<int>, int> known;
  topology.groups = 0;
  int covered = 0;
  for (int node = 0; node < topology.nodes; ++node) {
    const auto begin = topology.leaf.begin() + static_cast<std::ptrdiff_t>(node) * topology.rails;
    const std::vector<int> leaves(begin, begin + topology.rails);
    int& group = topology.group[static_cast<std::size_t>(node)];
    group = -1;
    if (std::ranges::find(leaves, -1) != leaves.end()) continue;
    const auto [at, fresh] = known.emplace(leaves, topology.groups);
    topology.groups += fresh ? 1 : 0;
    group = at->second, ++covered;
  }
  topology.coverage = topology.nodes > 0 ? static_cast<double>(covered) / topology.nodes : 0;
}

Topology topology_of(std::span<const std::string> nodes, int rails, std::span<const Placement> placements,
                     const std::string& source) {
  Topology topology = unknown_topology(static_cast<int>(nodes.size()), rails);
  topology.source = source;
  const NodeNames names(nodes);
  std::map<std::pair<std::string, int>, int> leaves;
  std::set<std::string> foreign;
  for (const auto& placement : placements) {
    const int node = names.find(placement.node);
    if (node < 0) {
      foreign.insert(placement.node);
      continue;
    }
    if (placement.rail >= rails || placement.rail < -1)
      throw TopologyError(of_source(source) + "rail " + std::to_string(placement.rail) + " of " +
                          printable(placement.node, 64) + ", where a node has " + std::to_string(rails));
    for (int rail = 0; rail < rails; ++rail) {
      if (placement.rail >= 0 && placement.rail != rail) continue;
      const auto [at, fresh] =
          leaves.emplace(std::pair(placement.leaf, rail), static_cast<int>(leaves.size()));
      if (fresh) topology.leaves.push_back({placement.leaf, rail});
      const std::size_t place = topology.place(node, rail);
      if (topology.leaf[place] >= 0)
        throw TopologyError(
            of_source(source) + printable(placement.node, 64) + " is there twice" +
            (placement.rail >= 0 ? ", rail " + std::to_string(rail) : "") + ": in " +
            printable(topology.leaves[static_cast<std::size_t>(topology.leaf[place])].name, 64) + " and in " +
            printable(placement.leaf, 64));
      topology.leaf[place] = at->second, topology.port[place] = placement.port;
    }
  }
  group_by_leaves(topology);
  std::vector<std::string> lacking;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (topology.group[i] < 0) lacking.push_back(nodes[i]);
  if (topology.coverage < least_coverage)
    throw TopologyError(of_source(source) + "it has " + std::to_string(nodes.size() - lacking.size()) +
                        " of " + std::to_string(nodes.size()) + " nodes, and 90 % are needed; it lacks " +
                        some_of(lacking));
  if (!lacking.empty()) topology.warnings.push_back(of_source(source) + "it lacks " + some_of(lacking));
  if (!foreign.empty())
    topology.warnings.push_back(of_source(source) +
                                "not among these nodes: " + some_of({foreign.begin(), foreign.end()}));
  return topology;
}

Topology regular_topology(int nodes, int rails, int leaf_size, int uplinks) {
  Topology topology = unknown_topology(nodes, rails);
  topology.source = "regular", topology.uplinks = uplinks;
  const int groups = (nodes + leaf_size - 1) / leaf_size;
  for (int group = 0; group < groups; ++group)
    for (int rail = 0; rail < rails; ++rail)
      topology.leaves.push_back({"leaf" + std::to_string(group), rail});
  for (int node = 0; node < nodes; ++node)
    for (int rail = 0; rail < rails; ++rail)
      topology.leaf[topology.place(node, rail)] = node / leaf_size * rails + rail;
  group_by_leaves(topology);
  return topology;
}

namespace {

// A node whose companions differ, of those that both know: names of leaves differ between sources, companions
// must not. -1: none.
int disagreement(const Topology& one, const Topology& other) {
  std::map<int, int> forth, back;
  for (int node = 0; node < one.nodes; ++node) {
    const int a = one.group[static_cast<std::size_t>(node)], b = other.group[static_cast<std::size_t>(node)];
    if (a < 0 || b < 0) continue;
    if (forth.emplace(a, b).first->second != b || back.emplace(b, a).first->second != a) return node;
  }
  return -1;
}

}  // namespace

Topology chosen(std::vector<Topology> sources) {
  if (sources.empty()) throw TopologyError("no source of a topology");
  Topology topology = std::move(sources.front());
  for (std::size_t i = 1; i < sources.size(); ++i)
    if (const int node = disagreement(topology, sources[i]); node >= 0)
      topology.warnings.push_back("topology: " + printable(topology.source) + " and " +
                                  printable(sources[i].source) + " disagree about node " +
                                  std::to_string(node) +
                                  " and those it shares a leaf with; the first is used");
  return topology;
}

}  // namespace mlc::fleet
