#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include <algorithm>

#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct Source {
  std::string subject;
  Ipv4 address;
  int ifindex = 0;
};

// Plain packets of ours: no mark, no tos, no incoming device but lo. "not" turns all that a rule asks
// together.
bool concerns(const Rule& rule, Ipv4 source) {
  if (rule.inverted && (rule.to || !rule.oif.empty())) return true;  // of some destinations or devices
  const bool asked = (!rule.mark || (*rule.mark & rule.mark_mask) == 0) && rule.tos == 0 &&
                     (!rule.dscp || (*rule.dscp & rule.dscp_mask) == 0) &&
                     (rule.iif.empty() || rule.iif == "lo") && (!rule.from || rule.from->contains(source));
  return asked != rule.inverted;
}

bool decides(const Rule& rule, const std::vector<Route>& routes) {
  if (rule.action != FR_ACT_TO_TBL)
    return rule.action == FR_ACT_BLACKHOLE || rule.action == FR_ACT_UNREACHABLE ||
           rule.action == FR_ACT_PROHIBIT;
  // Only a default route makes a table answer for every destination.
  return std::ranges::any_of(
      routes, [&](const Route& route) { return route.table == rule.table && route.is_default(); });
}

void judge(CheckFindings& findings, const Source& rail, std::vector<Rule> rules,
           const std::vector<Route>& routes) {
  std::ranges::stable_sort(rules, {}, &Rule::priority);
  const std::string source = "RTM_GETRULE, RTM_GETROUTE";
  const Rule* shadow = nullptr;
  for (const auto& rule : rules) {
    if (rule.table == RT_TABLE_LOCAL && rule.action == FR_ACT_TO_TBL) continue;
    if (!concerns(rule, rail.address)) continue;
    const bool own = rule.from && rule.from->length > 0 && !rule.inverted;
    if (own) {
      const bool routed = std::ranges::any_of(
          routes, [&](const Route& route) { return route.table == rule.table && route.oif == rail.ifindex; });
      if (shadow)
        findings.fail(rail.subject,
                      "rule '" + ip_rule_form(rule) + "' comes after '" + ip_rule_form(*shadow) +
                          "', which answers first",
                      "the rail's rule first", source,
                      "give the rail's rule a lower priority number: ip rule add from " +
                          to_string(rail.address) + " lookup " + std::to_string(rule.table) +
                          " priority 100");
      else if (!routed)
        findings.fail(rail.subject,
                      "table " + std::to_string(rule.table) + " of rule '" + ip_rule_form(rule) +
                          "' has no route out of the rail",
                      "a route out of the rail", source,
                      "the table is empty or stale: ip route show table " + std::to_string(rule.table) +
                          "; delete the Pod so that sbr writes it again");
      else
        findings.pass(rail.subject, ip_rule_form(rule), "the rail's rule first", source);
      return;
    }
    const bool narrow = rule.to || !rule.oif.empty();
    if (rule.table == RT_TABLE_MAIN || rule.table == RT_TABLE_DEFAULT) {
      // The main table holds the rails' static routes: no rule of its own is needed.
      const bool routed = std::ranges::any_of(routes, [&](const Route& route) {
        return route.table == RT_TABLE_MAIN && route.oif == rail.ifindex;
      });
      if (shadow) break;
      if (rule.table == RT_TABLE_MAIN && routed) {
        findings.pass(rail.subject, "no rule of its own; the main table has its routes",
                      "a rule of its own, or routes in the main table", source);
        return;
      }
    } else if (!narrow && decides(rule, routes)) {
      shadow = &rule;
    }
  }
  if (shadow)
    findings.fail(rail.subject, "rule '" + ip_rule_form(*shadow) + "' answers before any of the rail's",
                  "the rail's rule or the main table first", source,
                  "find who wrote it (ip rule show), and give the rail's rule a lower priority number");
  else
    findings.fail(rail.subject, "neither a rule nor the main table has a route out of the rail",
                  "a rule of its own, or routes in the main table", source,
                  "the sbr plugin is missing from the network attachment, or its rule was removed: ip rule "
                  "show, then recreate the Pod");
}

}  // namespace

extern const Check net_rules{
    .name = "net.rules",
    .summary = "no policy rule takes the rails' traffic before their own rule or the main table",
    .why =
        "A rule from a CNI or a VPN that answers for every source shadows the rails' tables: traffic leaves "
        "by the wrong device, and no route table shows why.",
    .reads = "RTM_GETRULE, RTM_GETROUTE",
    .fix =
        "ip rule show; the rail's 'from ADDRESS' rule needs the lowest priority number of those that match "
        "it.",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("net.rules");
          const auto rails = rails_up_or_say(host, policy, findings);
          if (!rails) return findings.done();
          const auto& rules = host.rules();
          const auto& routes = host.routes();
          if (!rules || !routes || rules->empty()) {
            findings.unknown("node",
                             !rules    ? rules.why
                             : !routes ? routes.why
                                       : "the kernel listed no rule at all",
                             "", "RTM_GETRULE, RTM_GETROUTE", "run on the node itself");
            return findings.done();
          }
          for (const auto& rail : *rails) {
            if (rail.addresses.empty()) {
              findings.fail(rail.name(), "no IPv4 address, so no rule can match", "an address", "RTM_GETADDR",
                            "give the rail its address: CNI and IPAM in a Pod, netplan on the host");
              continue;
            }
            judge(findings, {rail.name(), rail.addresses.front().address, rail.link->index}, *rules, *routes);
          }
          return findings.done();
        },
};

}  // namespace mlc::checks
