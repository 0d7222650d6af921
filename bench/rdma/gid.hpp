// Which row of a port's GID table a rail sends from. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "validators/host/rdma_sysfs.hpp"

namespace mlc::rdma {

struct GidChoice {
  std::optional<Gid> gid;
  std::string why;  // where there is none, or a worse one than it should be
};

// As NCCL chooses (src/transport/net_ib/connect.cc, ncclUpdateGidIndex, with its defaults): a GID of the rail's own
// interface, IPv4-mapped, RoCE v2 before v1; of equals the lowest index. An IPv6 GID, or RoCE v1, is taken only where
// there is nothing better, and `why` says so. `asked` (--gid-index) overrules all of it, but must be a row in use.
GidChoice choose_gid(const std::vector<Gid>& gids, const std::string& netdev, std::optional<int> asked);

}  // namespace mlc::rdma
