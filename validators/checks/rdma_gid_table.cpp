#include <algorithm>
#include <set>

#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct Table {
  std::string subject, rdma, netdev;
  std::vector<Prefix> addresses;
  std::vector<IpPrefix> addresses6;
  Read<std::vector<Gid>> gids;
};

// IPv4 first, as NCCL and rdma_cm take it; IPv6 where there is nothing else.
bool is_own(const Table& table, const Gid& gid) {
  if (gid.netdev != table.netdev) return false;
  const auto four = mapped_ipv4(gid.gid);
  if (four || !table.addresses.empty())
    return four &&
           std::ranges::any_of(table.addresses, [&](const Prefix& one) { return one.address == *four; });
  const auto six = parse_ip(gid.gid);
  return six &&
         std::ranges::any_of(table.addresses6, [&](const IpPrefix& one) { return one.address == *six; });
}

std::string shown(const Gid& gid) {
  if (const auto four = mapped_ipv4(gid.gid)) return to_string(*four);
  const auto six = parse_ip(gid.gid);
  return six ? to_string(*six) : gid.gid;
}

std::vector<Finding> judge(const std::vector<Table>& tables) {
  CheckFindings findings("rdma.gid-table");
  std::set<int> indexes;
  for (const auto& table : tables) {
    const std::string source = port_path(table.rdma) + "{gids,gid_attrs/types,gid_attrs/ndevs}";
    const std::string expected =
        "a RoCE v2 GID that is " + table.netdev +
        (table.addresses.empty() && !table.addresses6.empty() ? "'s IPv6 address" : "'s IPv4 address");
    if (!table.gids) {
      findings.unknown(table.subject, table.gids.why, expected, source,
                       "the device may have vanished: dmesg | grep mlx5_core");
      continue;
    }
    const Gid* usable = nullptr;
    const Gid* old = nullptr;  // the right address, but not as RoCE v2
    std::string others;
    for (const auto& gid : *table.gids) {
      const bool own = is_own(table, gid);
      if (gid.type != "RoCE v2") {
        if (own) old = &gid;
        continue;
      }
      if (own && !usable) usable = &gid;
      if (!own)
        others += (others.empty() ? "" : ", ") + (mapped_ipv4(gid.gid) ? shown(gid) : gid.gid) + " on " +
                  gid.netdev;
    }
    if (usable) {
      indexes.insert(usable->index);
      findings.pass(table.subject, "index " + std::to_string(usable->index) + " is " + shown(*usable),
                    expected, source);
    } else if (table.addresses.empty() && table.addresses6.empty()) {
      findings.fail(table.subject, table.netdev + " has no IPv4 address, so no usable GID", expected, source,
                    "give the rail its address: check CNI and IPAM (kubectl describe pod), or netplan on the "
                    "host; the GID follows the address");
    } else if (old) {
      findings.fail(table.subject,
                    (others.empty() ? "no RoCE v2 GID" : "RoCE v2 GIDs are only " + others) + "; " +
                        shown(*old) + " is " + old->type + ", which no router forwards",
                    expected, source,
                    "let the port speak RoCE v2 (cma_roce_mode -d " + table.rdma +
                        " -p 1 -m 2), then take the interface down and up or give the Pod its address again");
    } else if (!others.empty()) {
      findings.fail(table.subject, "RoCE v2 GIDs are only " + others, expected, source,
                    "the GID belongs to another device or address: take the interface down and up, or give "
                    "the Pod its address again");
    } else {
      findings.fail(
          table.subject, table.gids->empty() ? "no GID in use in this namespace" : "no RoCE v2 GID", expected,
          source,
          "cma_roce_mode -d " + table.rdma +
              " -p 1 must show RoCE v2; in a Pod check that the RDMA device came with the VF (rdma-cni)");
    }
  }
  if (indexes.size() > 1)
    findings.warn("node", "the GID index differs between the rails", "one index",
                  "/sys/class/infiniband/*/ports/1/gids",
                  "do not set NCCL_IB_GID_INDEX: it takes one value for all rails; NCCL 2.21 and later "
                  "choose by themselves");
  return findings.done();
}

}  // namespace

extern const Check rdma_gid_table{
    .name = "rdma.gid-table",
    .summary = "every rail has a RoCE v2 GID that is its interface's IPv4 (or only) address",
    .why =
        "Without it ibv_modify_qp fails at start, or NCCL takes a link-local GID and nothing reaches the "
        "peer.",
    .reads = "/sys/class/infiniband/*/ports/1/{gids,gid_attrs}, RTM_GETADDR",
    .fix = "The GID follows the address: mend CNI, IPAM or netplan. Leave NCCL_IB_GID_INDEX unset.",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("rdma.gid-table");
          const auto rails = addressed_rails_or_say(host, policy, findings);
          if (!rails) return findings.done();
          std::vector<Table> tables;
          for (const auto& rail : *rails)
            tables.push_back({rail.name(), rail.rdma, rail.netdev, rail.addresses, rail.addresses6,
                              read_gids(host.files(), rail.rdma)});
          for (auto& finding : judge(tables))
            findings.judge(finding.status, finding.subject, finding.observed, finding.expected,
                           finding.source, finding.remedy);
          return findings.done();
        },
};

}  // namespace mlc::checks
