#include <algorithm>

#include "reports/text.hpp"
#include "validators/check.hpp"
#include "validators/rails.hpp"

namespace mlc::checks {

namespace {

struct Claim {
  std::string subject, netdev, own_mac;
  Ipv4 address;
  Read<std::vector<std::string>> answers;
};

void judge(CheckFindings& findings, const Claim& claim) {
  const std::string source = "ARP probe for " + to_string(claim.address) + " from 0.0.0.0 on " + claim.netdev,
                    expected = "nobody else answers";
  if (!claim.answers) {
    findings.unknown(claim.subject, claim.answers.why, expected, source,
                     "give the container the capability NET_RAW, or run as root");
    return;
  }
  std::vector<std::string> others;
  for (const auto& mac : *claim.answers)
    if (mac != claim.own_mac) others.push_back(printable(mac, 20));
  if (others.empty())
    findings.pass(claim.subject, "nobody else claims " + to_string(claim.address), expected, source);
  else
    findings.fail(claim.subject, to_string(claim.address) + " is also owned by " + join(others, ", "),
                  expected, source,
                  "find the owner: kubectl get ippools -A -o json | grep " + to_string(claim.address) +
                      ", and the MAC in the switch's table; then delete the Pod that came later");
}

}  // namespace

extern const Check net_duplicate_address{
    .name = "net.duplicate-address",
    .summary = "no other machine answers for this rail's address",
    .why =
        "Two owners of one address take each other's packets in turns: connections break at random, on two "
        "nodes at once. Whereabouts does not probe before it hands out an address.",
    .reads = "an ARP probe with sender 0.0.0.0 (RFC 5227) on each rail",
    .fix = "Delete the later Pod; clean the IPPool (ipam.duplicates).",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("net.duplicate-address");
          const auto* node = expectation(policy);
          if (!node || !node->probe_duplicates) {
            findings.skip("rails", "the policy asks for no probes (node.probe.duplicates)", "policy");
            return findings.done();
          }
          const auto rails = rails_or_say(host, policy, findings);
          if (!rails) return findings.done();
          for (const auto& rail : *rails)
            for (const auto& address : rail.addresses)
              judge(findings, {rail.name(), rail.netdev, rail.link->mac, address.address,
                               host.arp_probe(rail.netdev, address.address)});
          if (findings.empty())
            findings.fail("rails", "no rail has an address", "an address each", "RTM_GETADDR",
                          "see net.rail-prefixes");
          return findings.done();
        },
};

}  // namespace mlc::checks
