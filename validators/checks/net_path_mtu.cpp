#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct Probe {
  std::string subject, target;
  int bytes = 0;
  Read<Echo> small, large;
};

void judge(CheckFindings& findings, const Probe& probe, const std::string& netdev) {
  const std::string size = std::to_string(probe.bytes), source = "ICMP echo with DF bound to " + netdev,
                    expected = "packets of " + size + " bytes arrive unfragmented";
  const std::string next = "ping -I " + netdev + " -M do -s " + std::to_string(probe.bytes - 28) + " " +
                           probe.target + "; set 9216 on every switch port of the rail";
  if (!probe.small || !probe.large)
    findings.unknown(probe.subject, probe.small ? probe.large.why : probe.small.why, expected, source,
                     "give the container the capability NET_RAW, or run as root");
  else if (probe.large->replied)
    findings.pass(probe.subject, size + " bytes to " + probe.target + " and back", expected, source);
  // Nothing at all answers: that is net.reachability's business, and says nothing about sizes.
  else if (!probe.small->replied)
    findings.needs("net.reachability", probe.subject, probe.target + " does not answer even small packets",
                   expected, source);
  else if (!probe.large->local_error.empty())
    findings.fail(probe.subject, size + " bytes do not leave: " + probe.large->local_error, expected, source,
                  "raise the interface MTU: ip link show " + netdev +
                      " (SriovNetworkNodePolicy.mtu, tuning CNI or netplan)");
  else
    findings.fail(probe.subject,
                  "MTU black hole: small packets to " + probe.target + " arrive, " + size + " bytes vanish",
                  expected, source, next);
}

}  // namespace

extern const Check net_path_mtu{
    .name = "net.path-mtu",
    .summary = "packets of the rail's full MTU reach gateway and peers without fragmenting",
    .why =
        "One switch port left at 1500 drops every large RDMA packet and none of the small ones: connections "
        "come up, the first transfer hangs.",
    .reads = "ICMP echo with DF of the full interface MTU, bound to the rail",
    .fix = "MTU 9216 on every switch port of the rail, the same MTU on all hosts.",
    .keys = "probe.path_mtu",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("net.path-mtu");
          const auto* node = expectation(policy);
          if (!node || !node->probe_path_mtu) {
            findings.skip("rails", "the policy asks for no probes (node.probe.path_mtu)", "policy");
            return findings.done();
          }
          const auto rails = ipv4_rails_up_or_say(host, policy, findings);
          if (!rails) return findings.done();
          for (const auto& rail : *rails) {
            std::vector<Ipv4> targets;
            if (const auto gateway = gateway4(rail)) targets.push_back(*gateway);
            for (const auto& peer : node->peers)
              if (const auto there = rail.meets(peer)) targets.push_back(*there);
            if (targets.empty() || rail.addresses.empty()) continue;
            // What RDMA will use; an interface may be larger than it needs.
            const int bytes =
                std::min<int>(static_cast<int>(rail.link->mtu), node->netdev_mtu.value_or(9000));
            for (const auto target : targets)
              judge(findings,
                    {rail.name(), to_string(target), std::max(bytes, 84),
                     host.echo(rail.netdev, rail.addresses.front().address, target, 84),
                     host.echo(rail.netdev, rail.addresses.front().address, target, std::max(bytes, 84))},
                    rail.netdev);
          }
          if (findings.empty())
            findings.unknown(
                "rails", "the policy names neither gateways nor peers to ask", "", "policy",
                "name them: node.rails.addresses (gateway), node.probe.peers, or --peer A,B,C,D");
          return findings.done();
        },
};

}  // namespace mlc::checks
