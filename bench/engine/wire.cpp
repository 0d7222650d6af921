#include "bench/engine/wire.hpp"

namespace mlc {

std::optional<double> wire_factor(const Collective& collective, const std::string& algorithm, int nodes,
                                  int ranks) {
  if (nodes < 2) return std::nullopt;
  // Each ring leaves each node once and carries what its ranks' links carry: busbw is the wire.
  if (algorithm == "Ring") return collective.bus_factor(ranks);
  // Of two trees over two nodes each has one node at its root: half of the bytes go up from one node and half
  // come down to it, in both trees, so each node sends the message once. busbw counts it 2 (n - 1) / n times.
  if (collective.name == "allreduce" && nodes == 2 && (algorithm == "Tree" || algorithm == "NVLSTree"))
    return 1.0;
  return std::nullopt;
}

}  // namespace mlc
