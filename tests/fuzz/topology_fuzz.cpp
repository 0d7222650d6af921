// Any text as a topology file: refused with TopologyError, or placements that make a topology of their own
// nodes.
#include <cstdint>
#include <cstdlib>
#include <set>

#include "bench/fleet/localisation/topology_readers.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mlc::fleet;
  try {
    const auto placements = placements_from_lines({reinterpret_cast<const char*>(data), size});
    std::set<std::string> names;
    for (const auto& one : placements)
      names.insert(one.node);
    if (names.empty() || names.size() > 1000) return 0;
    const std::vector<std::string> nodes(names.begin(), names.end());
    const Topology topology = topology_of(nodes, 4, placements, "fuzz");
    if (topology.leaf.size() != nodes.size() * 4 || topology.coverage < least_coverage) std::abort();
    for (const int leaf : topology.leaf)
      if (leaf < -1 || leaf >= static_cast<int>(topology.leaves.size())) std::abort();
  } catch (const TopologyError&) {
  }
  return 0;
}
