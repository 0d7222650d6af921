#include <algorithm>
#include <map>

#include "reports/record/text.hpp"
#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct Claim {
  std::string subject, netdev, own_mac;
  std::map<std::string, std::string> own_others;  // MAC -> name of this machine's other interfaces
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
  std::vector<std::string> others, ours;
  for (const auto& mac : *claim.answers) {
    const auto own = claim.own_others.find(mac);
    if (own != claim.own_others.end())
      ours.push_back(own->second);
    else if (mac != claim.own_mac)
      others.push_back(printable(mac, 20));
  }
  // No second owner, but peers may learn the wrong MAC: the PF hears what is asked of its VF.
  if (!ours.empty())
    findings.warn(claim.subject,
                  "this machine's " + join(ours, ", ") + " answers for " + to_string(claim.address) + " too",
                  claim.netdev + " alone answers", source,
                  "sysctl net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2");
  if (others.empty() && ours.empty())
    findings.pass(claim.subject, "nobody else claims " + to_string(claim.address), expected, source);
  if (!others.empty())
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
    .fix = "Delete the later Pod; mlc-bench ipam names it and what else is wrong in the pools.",
    .keys = "probe.duplicates",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("net.duplicate-address");
          const auto* node = expectation(policy);
          if (!node || !node->probe_duplicates) {
            findings.skip("rails", "the policy asks for no probes (node.probe.duplicates)", "policy");
            return findings.done();
          }
          const auto rails = ipv4_rails_up_or_say(host, policy, findings);
          if (!rails) return findings.done();
          for (const auto& rail : *rails) {
            std::map<std::string, std::string> own_others;
            for (const auto& link : *host.links())
              if (link.mac != rail.link->mac) own_others[link.mac] = link.name;
            for (const auto& address : rail.addresses)
              judge(findings, {rail.name(), rail.netdev, rail.link->mac, own_others, address.address,
                               host.arp_probe(rail.netdev, address.address)});
          }
          if (findings.empty())
            findings.fail("rails", "no rail has an address", "an address each", "RTM_GETADDR",
                          "see net.rail-prefixes");
          return findings.done();
        },
};

}  // namespace mlc::checks
