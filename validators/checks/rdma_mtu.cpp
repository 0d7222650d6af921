#include <algorithm>
#include <set>

#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct RailMtu {
  std::string subject, netdev;
  Read<int> netdev_mtu, active;  // active: the RDMA MTU
  bool infiniband = false;       // whose RDMA MTU owes nothing to an interface's
};

// RoCE v2 headers around the payload, with room for the largest extension (include/rdma/ib_addr.h
// iboe_get_mtu). 4096 bytes of payload so need an interface MTU of about 4200; OCI runs 4220.
int interface_mtu_for(int active) { return active + 104; }

void judge_infiniband(CheckFindings& findings, const RailMtu& rail, std::optional<int> wanted) {
  const std::string source = "ibv_query_port",
                    expected = wanted ? "active MTU " + std::to_string(*wanted) : "an active MTU";
  if (!rail.active)
    findings.unknown(rail.subject, "active MTU: " + rail.active.why, expected, source,
                     "install libibverbs and give the container /dev/infiniband, then run again");
  else
    findings.judge(
        wanted && *rail.active < *wanted ? Status::fail : Status::pass, rail.subject,
        "active MTU " + std::to_string(*rail.active), expected, source,
        "the subnet manager sets it: mtu of the partition (partitions.conf: mtu=5 is 4096), and the "
        "switch's own");
}

std::vector<Finding> judge(const std::vector<RailMtu>& rails, std::optional<int> active_wanted,
                           std::optional<int> netdev_wanted) {
  CheckFindings findings("rdma.mtu");
  std::set<int> seen;
  for (const auto& rail : rails) {
    if (rail.infiniband) {
      judge_infiniband(findings, rail, active_wanted);
      continue;
    }
    const std::string source = "RTM_GETLINK IFLA_MTU of " + rail.netdev + ", ibv_query_port";
    const int at_least =
        std::max(netdev_wanted.value_or(0), active_wanted ? interface_mtu_for(*active_wanted) : 0);
    const std::string expected = active_wanted
                                     ? "active MTU " + std::to_string(*active_wanted) + ", interface MTU " +
                                           std::to_string(at_least) + " or more"
                                     : "the same on every rail";
    const std::string remedy =
        "set the MTU where the interface is made (SriovNetworkNodePolicy.mtu, tuning CNI, netplan), and 9216 "
        "on the switch";
    if (!rail.netdev_mtu) {
      findings.unknown(rail.subject, rail.netdev_mtu.why, expected, source,
                       "the interface may have vanished: ip link show " + rail.netdev);
      continue;
    }
    seen.insert(*rail.netdev_mtu);
    if (at_least > 0 && *rail.netdev_mtu < at_least)
      findings.fail(rail.subject, "interface MTU " + std::to_string(*rail.netdev_mtu), expected, source,
                    remedy);
    else if (active_wanted && rail.active && *rail.active < *active_wanted)
      findings.fail(rail.subject,
                    "active MTU " + std::to_string(*rail.active) + " at interface MTU " +
                        std::to_string(*rail.netdev_mtu),
                    expected, source, remedy);
    else
      findings.pass(rail.subject,
                    "interface MTU " + std::to_string(*rail.netdev_mtu) +
                        (rail.active ? ", active MTU " + std::to_string(*rail.active) : ""),
                    expected, source);
  }
  if (seen.size() > 1)
    findings.fail("node", "the rails have different interface MTUs", "one MTU", "RTM_GETLINK",
                  "give all rails the same MTU; NCCL takes the smaller end of each connection");
  return findings.done();
}

}  // namespace

extern const Check rdma_mtu{
    .name = "rdma.mtu",
    .summary = "every rail's interface MTU carries the RDMA MTU of the policy, and all rails have the same",
    .why =
        "At 1024 bytes instead of 4096 the headers take a larger share and the NIC processes four times the "
        "packets: the rail stays below its rate.",
    .reads = "RTM_GETLINK, ibv_query_port where libibverbs is there",
    .fix = "Set the MTU on PF, VF, CNI and switch alike.",
    .keys = "rails.active_mtu rails.netdev_mtu",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("rdma.mtu");
          const auto rails = rails_or_say(host, policy, findings);
          if (!rails) return findings.done();
          const auto& verbs = host.verbs();
          std::vector<RailMtu> mtus;
          for (const auto& rail : *rails) {
            RailMtu one{rail.name(), rail.netdev, Read<int>::unreadable("interface not listed"),
                        Read<int>::unreadable(verbs ? rail.rdma + " did not answer" : verbs.why),
                        rail.infiniband()};
            if (rail.link && rail.link->mtu > 0)
              one.netdev_mtu = Read<int>::of(static_cast<int>(rail.link->mtu));
            for (const auto& port : *verbs)
              if (port.device == rail.rdma && port.active_mtu > 0)
                one.active = Read<int>::of(port.active_mtu);
            mtus.push_back(std::move(one));
          }
          const auto* node = expectation(policy);
          std::optional<int> active = node ? node->active_mtu : std::nullopt;
          if (node && !active && policy.target) active = policy.target->mtu;
          return judge(mtus, active, node ? node->netdev_mtu : std::nullopt);
        },
};

}  // namespace mlc::checks
