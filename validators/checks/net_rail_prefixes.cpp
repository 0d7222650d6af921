#include <algorithm>

#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct Network {
  std::string name;
  std::vector<IpPrefix> own, all;  // of the family it is judged by, and of both; with host bits
  std::vector<Prefix> link_local;
  IpFamily family = IpFamily::v4;
  const RailExpectation* site = nullptr;
  bool rail = true;
};

std::string clash_of(const Network& one, const Network& other) {
  for (const auto& mine : one.all)
    for (const auto& theirs : other.all)
      if (mine.overlaps(theirs))
        return to_string(mine.network()) + " overlaps " + to_string(theirs.network()) + " of " + other.name;
  return {};
}

void judge(CheckFindings& findings, const std::vector<Network>& networks) {
  const std::string source = "RTM_GETADDR, /proc/net/if_inet6";
  for (std::size_t i = 0; i < networks.size(); ++i) {
    const Network& one = networks[i];
    if (!one.rail) continue;
    if (one.own.empty()) {
      findings.fail(one.name,
                    !one.link_local.empty()
                        ? "only " + to_string(one.link_local.front()) + ", which nobody gave (RFC 3927)"
                        : "no " + to_string(one.family) + " address" +
                              (one.all.empty() ? "" : ", only " + to_string(one.all.front())),
                    one.site ? "an address in " + to_string(one.site->prefix) : "an address", source,
                    "give the rail its address: CNI and IPAM in a Pod, netplan on the host");
      continue;
    }
    if (one.site && !one.site->prefix.contains(one.own.front().address)) {
      findings.fail(one.name, to_string(one.own.front()), "an address in " + to_string(one.site->prefix),
                    source,
                    "the rail is cabled or addressed as another one: compare cable and IPAM range with the "
                    "build sheet");
      continue;
    }
    std::string clash;
    for (std::size_t j = 0; j < networks.size(); ++j)
      if (const auto text = i == j ? std::string() : clash_of(one, networks[j]); !text.empty()) clash = text;
    if (clash.empty())
      findings.pass(one.name, to_string(one.own.front()),
                    one.site ? "inside " + to_string(one.site->prefix) : "a prefix of its own", source);
    else
      findings.fail(one.name, clash, "a prefix of its own", source,
                    "give every rail a subnet of its own (IPAM 'range'); where they must share one, use sbr "
                    "and arp_ignore 1, arp_announce 2");
  }
}

// A NIC whose addresses are in no rail's prefix is not taken for the rail that is missing; it may be it all
// the same, wrongly addressed.
void judge_missing(CheckFindings& findings, const Host& host, const Policy& policy) {
  const auto here = read_rails_here(host, policy);
  if (!here || !policy.node) return;
  for (const auto& missing : here->missing)
    for (const auto& other : here->others)
      if (missing.index && other.why == NoRail::other_network &&
          static_cast<std::size_t>(*missing.index) < policy.node->sites.size())
        findings.fail(
            missing.text(), "no NIC has an address there; " + other.name + " " + to_text(other.why),
            "an address in " + to_string(policy.node->sites[static_cast<std::size_t>(*missing.index)].prefix),
            "RTM_GETADDR, /proc/net/if_inet6",
            "if " + other.name +
                " is that rail, it is cabled or addressed as another one: compare cable and IPAM range "
                "with the build sheet; else see pci.inventory");
}

}  // namespace

extern const Check net_rail_prefixes{
    .name = "net.rail-prefixes",
    .summary = "every rail has an address in a prefix of its own, and no two networks overlap",
    .why =
        "With two rails in one prefix the kernel sends both through the first; half the interconnect idles.",
    .reads = "RTM_GETADDR, /proc/net/if_inet6",
    .fix = "One subnet per rail in IPAM or netplan.",
    .keys = "rails.addresses rails.host_addresses",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("net.rail-prefixes");
          const auto rails = addressed_rails_or_say(host, policy, findings);
          if (!rails) return findings.done();
          judge_missing(findings, host, policy);
          std::vector<Network> networks;
          for (const auto& rail : *rails) {
            Network one{rail.name(), rail.own(), rail.addresses6, rail.link_local, rail.family(),
                        rail.site,   true};
            one.all.insert(one.all.begin(), rail.addresses.begin(), rail.addresses.end());
            networks.push_back(std::move(one));
          }
          const auto inet6 = parse_if_inet6(host.files().text("/proc/net/if_inet6").value);
          for (const auto& link : *host.links()) {
            const bool is_rail =
                std::ranges::any_of(*rails, [&](const Rail& rail) { return rail.netdev == link.name; });
            if (is_rail || link.loopback()) continue;
            Network other{.name = link.name, .rail = false};
            for (const auto& address : *host.addresses())
              if (address.index == link.index) other.all.push_back(address.prefix);
            for (const auto& address : inet6)
              if (address.interface == link.name && !address.prefix.address.link_local())
                other.all.push_back(address.prefix);
            networks.push_back(std::move(other));
          }
          judge(findings, networks);
          return findings.done();
        },
};

}  // namespace mlc::checks
