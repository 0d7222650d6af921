#include "bench/rdma/gid.hpp"

#include <algorithm>

#include "validators/host/ipv4.hpp"

namespace mlc::rdma {

namespace {

bool link_local(const Gid& gid) { return gid.gid.starts_with("fe80"); }

// Address family counts more than the RoCE version, as with NCCL.
int score(const Gid& gid) {
  return (mapped_ipv4(gid.gid) ? 4 : link_local(gid) ? 0 : 2) + (gid.type == "RoCE v2" ? 1 : 0);
}

}  // namespace

GidChoice choose_gid(const std::vector<Gid>& gids, const std::string& netdev, std::optional<int> asked) {
  if (asked) {
    const auto row = std::ranges::find(gids, *asked, &Gid::index);
    if (row == gids.end())
      return {std::nullopt, "GID index " + std::to_string(*asked) +
                                " is empty, or belongs to another network namespace"};
    return {*row, row->netdev == netdev ? "" : "GID index " + std::to_string(*asked) + " belongs to " + row->netdev};
  }
  std::optional<Gid> best;
  for (const Gid& gid : gids)
    if (gid.netdev == netdev && (!best || score(gid) > score(*best))) best = gid;
  if (!best)
    return {std::nullopt, netdev + " owns no GID: it has no address, or is in another network namespace"};
  GidChoice choice{best, ""};
  if (!mapped_ipv4(best->gid))
    choice.why = netdev + " has no IPv4 address: its best GID is " + best->gid + " (" + best->type + ")";
  else if (best->type != "RoCE v2")
    choice.why = "the GID is " + best->type + ", which cannot be routed; RoCE v2 was expected";
  return choice;
}

}  // namespace mlc::rdma
