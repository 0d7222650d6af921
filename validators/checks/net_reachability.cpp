#include <linux/neighbour.h>

#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct Target {
  std::string subject, what;
  Ipv4 address;
  Read<Echo> echo;
  std::optional<Neighbour> neighbour;  // after the echo was sent
};

void judge(CheckFindings& findings, const Target& target, const std::string& netdev) {
  const std::string source = "ICMP echo bound to " + netdev + ", RTM_GETNEIGH",
                    expected = target.what + " answers";
  const std::string next = "ping -I " + netdev + " " + to_string(target.address) +
                           "; if nothing answers look at the VLAN and the switch port of this rail";
  const unsigned bad = NUD_FAILED | NUD_INCOMPLETE;
  if (!target.echo)
    findings.unknown(target.subject, target.echo.why, expected, source,
                     "give the container the capability NET_RAW, or run as root");
  else if (target.echo->replied)
    findings.pass(
        target.subject,
        target.what + " answers" +
            (target.neighbour && !target.neighbour->mac.empty() ? " at " + target.neighbour->mac : ""),
        expected, source);
  else if (!target.echo->local_error.empty())
    findings.fail(target.subject, target.what + ": the packet did not leave: " + target.echo->local_error,
                  expected, source, "see net.rail-routes; " + next);
  else if (target.neighbour && (target.neighbour->state & bad) != 0)
    findings.fail(target.subject, target.what + " does not answer ARP on this rail", expected, source, next);
  else
    findings.fail(target.subject, target.what + " does not answer", expected, source, next);
}

}  // namespace

extern const Check net_reachability{
    .name = "net.reachability",
    .summary = "each rail's gateway and peers answer, asked through that rail alone",
    .why =
        "A rail that is up but patched into the wrong VLAN passes every local check and fails the first "
        "connection.",
    .reads = "ICMP echo bound to the rail (SO_BINDTODEVICE) from its own address, RTM_GETNEIGH",
    .fix = "Check VLAN and cabling of the rail's switch port; routes with net.rail-routes.",
    .keys = "probe.gateways probe.peers",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("net.reachability");
          const auto* node = expectation(policy);
          if (!node || (!node->probe_gateways && node->peers.empty())) {
            findings.skip("rails", "the policy asks for no probes (node.probe)", "policy");
            return findings.done();
          }
          const auto rails = ipv4_rails_up_or_say(host, policy, findings);
          if (!rails) return findings.done();
          for (const auto& rail : *rails) {
            if (rail.addresses.empty()) {
              findings.fail(rail.name(), "no IPv4 address to ask from", "an address", "RTM_GETADDR",
                            "give the rail its address: CNI and IPAM in a Pod, netplan on the host");
              continue;
            }
            std::vector<Target> targets;
            if (const auto gateway = gateway4(rail); node->probe_gateways && gateway)
              targets.push_back({rail.name(), "gateway " + to_string(*gateway), *gateway, {}, {}});
            for (const auto& peer : node->peers)
              if (const auto there = rail.meets(peer))
                targets.push_back({rail.name(), "peer " + to_string(*there), *there, {}, {}});
            for (auto& target : targets) {
              target.echo = host.echo(rail.netdev, rail.addresses.front().address, target.address,
                                      84);  // as ping sends
              if (const auto neighbours = host.neighbours())
                for (const auto& one : *neighbours)
                  if (one.index == rail.link->index && one.address == target.address) target.neighbour = one;
              judge(findings, target, rail.netdev);
            }
          }
          if (findings.empty())
            findings.unknown(
                "rails", "the policy names neither gateways nor peers to ask", "", "policy",
                "name them: node.rails.addresses (gateway), node.probe.peers, or --peer A,B,C,D");
          return findings.done();
        },
};

}  // namespace mlc::checks
