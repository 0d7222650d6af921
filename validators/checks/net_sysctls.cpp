#include <algorithm>

#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct Setting {
  Read<std::uint64_t> all, own;
  // The kernel takes the larger of "all" and the interface (IN_DEV_MAXCONF), so a 0 on the interface under a
  // 1 on "all" changes nothing.
  Read<std::uint64_t> effective() const {
    if (!all) return all;
    if (!own) return own;
    return Read<std::uint64_t>::of(std::max(*all, *own));
  }
};

struct Sysctls {
  std::string subject, netdev;
  Setting rp_filter, arp_ignore, arp_announce;
};

void judge(CheckFindings& findings, const Sysctls& rail, bool shared_subnet) {
  const std::string base = "/proc/sys/net/ipv4/conf/{all," + rail.netdev + "}/";
  const auto rp_filter = rail.rp_filter.effective(), ignore = rail.arp_ignore.effective(),
             announce = rail.arp_announce.effective();
  const std::string expected =
      shared_subnet ? "rp_filter 0 or 2, arp_ignore 1, arp_announce 2" : "rp_filter 0 or 2";
  for (const auto* one : {&rp_filter, &ignore, &announce})
    if (!*one) {
      findings.unknown(rail.subject, one->why, expected, base + "{rp_filter,arp_ignore,arp_announce}",
                       "read them by hand: sysctl net.ipv4.conf." + rail.netdev + ".rp_filter");
      return;
    }
  const std::string advice =
      "set it for 'all' and for " + rail.netdev +
      " (tuning CNI in a Pod, sysctl.d on the host); systemd and Cilium may set it back";
  bool good = true;
  if (*rp_filter == 1) {
    const bool no_op = rail.rp_filter.own && *rail.rp_filter.own == 0;
    // Strict filtering drops every packet whose answer would leave by another rail, as cross-rail traffic
    // does.
    findings.judge(shared_subnet ? Status::fail : Status::warn, rail.subject,
                   std::string("rp_filter is effectively 1 (strict)") +
                       (no_op ? "; its own 0 is without effect under all=1" : ""),
                   "0 or 2", base + "rp_filter", advice);
    good = false;
  }
  if (*ignore == 0 || *announce < 2) {
    const std::string observed =
        "arp_ignore " + std::to_string(*ignore) + ", arp_announce " + std::to_string(*announce);
    if (shared_subnet)
      findings.fail(rail.subject, observed + " with rails in one subnet: any rail answers ARP for any other",
                    "arp_ignore 1, arp_announce 2", base + "{arp_ignore,arp_announce}", advice),
          good = false;
  }
  if (good)
    findings.pass(rail.subject,
                  "rp_filter " + std::to_string(*rp_filter) + ", arp_ignore " + std::to_string(*ignore) +
                      ", arp_announce " + std::to_string(*announce),
                  expected, base);
}

}  // namespace

extern const Check net_sysctls{
    .name = "net.sysctls",
    .summary = "reverse-path and ARP settings, as they take effect, let several rails work side by side",
    .why =
        "Strict rp_filter drops packets without a counter anyone looks at; ARP flux sends one rail's traffic "
        "to another rail's MAC.",
    .reads =
        "/proc/sys/net/ipv4/conf/{all,RAIL}/{rp_filter,arp_ignore,arp_announce}; the larger of the two takes "
        "effect",
    .fix =
        "rp_filter 0 or 2; for rails in one subnet also arp_ignore 1 and arp_announce 2, for 'all' and each "
        "rail.",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("net.sysctls");
          const auto rails = addressed_rails_or_say(host, policy, findings);
          if (!rails) return findings.done();
          for (const auto& rail : *rails) {
            if (rail.addresses.empty() && !rail.addresses6.empty()) {
              findings.skip(rail.name(), "has IPv6 alone, which has neither ARP nor rp_filter",
                            "RTM_GETADDR, /proc/net/if_inet6");
              continue;
            }
            bool shared = false;
            for (const auto& other : *rails)
              for (const auto& mine : rail.addresses)
                for (const auto& theirs : other.addresses)
                  shared = shared || (&other != &rail && mine.overlaps(theirs));
            const auto read = [&](const char* name) {
              const std::string base = "/proc/sys/net/ipv4/conf/";
              return Setting{host.files().number(base + "all/" + name),
                             host.files().number(base + rail.netdev + "/" + name)};
            };
            judge(findings,
                  {rail.name(), rail.netdev, read("rp_filter"), read("arp_ignore"), read("arp_announce")},
                  shared);
          }
          return findings.done();
        },
};

}  // namespace mlc::checks
