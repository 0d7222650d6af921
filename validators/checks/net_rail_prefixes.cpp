#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct Network {
  std::string name;
  std::vector<Prefix> prefixes, link_local;
  std::vector<IpPrefix> prefixes6;
  const RailExpectation* site = nullptr;
  bool rail = true;
};

std::string clash_of(const Network& one, const Network& other) {
  for (const auto& mine : one.prefixes)
    for (const auto& theirs : other.prefixes)
      if (mine.overlaps(theirs))
        return to_string(mine.network()) + " overlaps " + to_string(theirs.network()) + " of " + other.name;
  for (const auto& mine : one.prefixes6)
    for (const auto& theirs : other.prefixes6)
      if (mine.overlaps(theirs))
        return to_string(mine.network()) + " overlaps " + to_string(theirs.network()) + " of " + other.name;
  return {};
}

void judge(CheckFindings& findings, const std::vector<Network>& networks) {
  const std::string source = "RTM_GETADDR";
  for (std::size_t i = 0; i < networks.size(); ++i) {
    const Network& one = networks[i];
    if (!one.rail) continue;
    const bool only_six = one.prefixes.empty() && !one.prefixes6.empty();
    if (one.prefixes.empty() && (one.site || !only_six)) {
      findings.fail(one.name,
                    !one.link_local.empty()
                        ? "only " + to_string(one.link_local.front()) + ", which nobody gave (RFC 3927)"
                    : only_six ? "no IPv4 address, only " + to_string(one.prefixes6.front())
                               : "no IPv4 address",
                    one.site ? "an address in " + to_string(one.site->prefix) : "an address", source,
                    "give the rail its address: CNI and IPAM in a Pod, netplan on the host");
      continue;
    }
    if (one.site && !one.site->prefix.contains(one.prefixes.front().address)) {
      findings.fail(one.name, to_string(one.prefixes.front()), "an address in " + to_string(one.site->prefix),
                    source,
                    "the rail is cabled or addressed as another one: compare cable and IPAM range with the "
                    "build sheet");
      continue;
    }
    std::string clash;
    for (std::size_t j = 0; j < networks.size(); ++j)
      if (const auto text = i == j ? std::string() : clash_of(one, networks[j]); !text.empty()) clash = text;
    if (clash.empty())
      findings.pass(one.name, only_six ? to_string(one.prefixes6.front()) : to_string(one.prefixes.front()),
                    one.site ? "inside " + to_string(one.site->prefix) : "a prefix of its own", source);
    else
      findings.fail(one.name, clash, "a prefix of its own", source,
                    "give every rail a subnet of its own (IPAM 'range'); where they must share one, use sbr "
                    "and arp_ignore 1, arp_announce 2");
  }
}

}  // namespace

extern const Check net_rail_prefixes{
    .name = "net.rail-prefixes",
    .summary = "every rail has an address in a prefix of its own, and no two networks overlap",
    .why =
        "With two rails in one prefix the kernel sends both through the first; half the interconnect idles.",
    .reads = "RTM_GETADDR, /proc/net/if_inet6",
    .fix = "One subnet per rail in IPAM or netplan.",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("net.rail-prefixes");
          const auto rails = addressed_rails_or_say(host, policy, findings);
          if (!rails) return findings.done();
          std::vector<Network> networks;
          for (const auto& rail : *rails)
            networks.push_back(
                {rail.name(), rail.addresses, rail.link_local, rail.addresses6, rail.site, true});
          for (const auto& link : *host.links()) {
            bool is_rail = link.loopback();
            for (const auto& rail : *rails)
              is_rail = is_rail || rail.netdev == link.name;
            if (is_rail) continue;
            Network other{link.name, {}, {}, {}, nullptr, false};
            for (const auto& address : *host.addresses())
              if (address.index == link.index) other.prefixes.push_back(address.prefix);
            networks.push_back(std::move(other));
          }
          judge(findings, networks);
          return findings.done();
        },
};

}  // namespace mlc::checks
