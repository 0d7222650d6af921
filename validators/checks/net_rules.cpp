#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include <algorithm>

#include "validators/checks/check.hpp"
#include "validators/checks/rail_routing.hpp"

namespace mlc::checks {

namespace {

bool leaves_by(const FibAnswer& answer, int oif) {
  const auto hops = answer.route->paths();
  return answer.route->type == RTN_UNICAST && !hops.empty() &&
         std::ranges::all_of(hops, [&](const Hop& hop) { return hop.oif == oif; });
}

std::string whither(const FibAnswer& answer, const DeviceNames& names) {
  if (answer.outcome == FibOutcome::route) return "by '" + ip_route_form(*answer.route, names) + "'";
  return answer.outcome == FibOutcome::refused ? "to nowhere: it refuses" : "to nowhere: no route";
}

// The rules that send what comes from the rail's address to a table of its own (sbr writes such a one).
std::vector<const Rule*> own_rules(const std::vector<Rule>& rules, const IpAddress& source) {
  std::vector<const Rule*> own;
  for (const auto& rule : rules)
    if (rule.action == FR_ACT_TO_TBL && !rule.inverted && rule.from && rule.from->length > 0 &&
        rule.from->contains(source) && !rule.mark && rule.tos == 0 && !rule.dscp &&
        (rule.iif.empty() || rule.iif == "lo"))
      own.push_back(&rule);
  return own;
}

// What the rail's routes are for, and who answers instead. Routes of other devices in the same table are no
// matter of rules: net.rail-routes.
struct Seen {
  bool routed = false;               // a table of the rail has a route out of it
  std::vector<unsigned> used;        // tables whose routes out of the rail are taken
  std::optional<FibRange> shadowed;  // the first range that a rule takes elsewhere
  unsigned shadowed_table = 0;       // whose route it is kept from
  std::optional<std::string> unsure;
};

Seen look(const FibTables& tables, const FibFlow& flow, int oif, const std::vector<unsigned>& of_the_rail) {
  Seen seen;
  for (const auto& route : tables.routes) {
    const auto hops = route.paths();
    if (std::ranges::find(of_the_rail, route.table) == of_the_rail.end() || route.type != RTN_UNICAST ||
        route.cached || std::ranges::none_of(hops, [&](const Hop& hop) { return hop.oif == oif; }))
      continue;
    if (route.family() == IpFamily::v6 && route.destination.address.link_local()) continue;  // of each device
    seen.routed = true;
    std::optional<FibRange> elsewhere;
    std::optional<std::string> unsure;
    bool taken = false;
    for (const auto& part : fib_ranges(tables, flow, route.destination)) {
      const FibAnswer& answer = part.answer;
      if (!ordinary_unicast(part.range.first)) continue;  // nobody sends there by a route
      if (answer.outcome == FibOutcome::unsure) {
        if (!unsure) unsure = to_string(part.range) + ": " + answer.why;
      } else if (answer.outcome == FibOutcome::route && leaves_by(answer, oif)) {
        taken = true;
      } else if (answer.route &&
                 (answer.route->table == route.table || answer.route->table == RT_TABLE_LOCAL)) {
        continue;
      } else if (!elsewhere) {
        elsewhere = part;
      }
    }
    if (taken && std::ranges::find(seen.used, route.table) == seen.used.end())
      seen.used.push_back(route.table);
    // Of a default route not every address is meant: others may have rules of their own.
    if (route.is_default() && taken) continue;
    if (elsewhere && !seen.shadowed) seen.shadowed = elsewhere, seen.shadowed_table = route.table;
    if (unsure && !seen.unsure) seen.unsure = unsure;
  }
  return seen;
}

bool seen_in(const FibTables& tables, const Rule& rule, const Rail& rail) {
  return std::ranges::any_of(tables.routes, [&](const Route& route) {
    const auto hops = route.paths();
    return route.table == rule.table &&
           std::ranges::any_of(hops, [&](const Hop& hop) { return hop.oif == rail.link->index; });
  });
}

constexpr const char* rules_source = "RTM_GETRULE, RTM_GETROUTE";

void say_shadowed(CheckFindings& findings, const Rail& rail, const Seen& seen, const Rule* own,
                  const DeviceNames& names) {
  const FibAnswer& answer = seen.shadowed->answer;
  const std::string range = to_string(seen.shadowed->range), way = whither(answer, names);
  const std::string first = answer.rule ? "rule '" + ip_rule_form(*answer.rule) + "'" : "no rule at all";
  const std::string source = to_string(rail.own().front().address);
  if (answer.outcome == FibOutcome::nothing) {
    const std::string table = table_name(seen.shadowed_table);
    findings.fail(
        rail.name(),
        "table " + table + " has a route for " + range + ", and no lookup from " + source + " gets there",
        "a rule that leads to table " + table, rules_source,
        "ip rule show: is the rule that looks up table " + table +
            " gone, or does it suppress the route? ip route show table all type throw");
    return;
  }
  if (own)
    findings.fail(
        rail.name(),
        "rule '" + ip_rule_form(*own) + "' comes after " + first + ", which sends " + range + " " + way,
        "the rail's rule first", rules_source,
        "give the rail's rule a lower priority number: ip rule add from " + source + " lookup " +
            std::to_string(own->table) +
            (answer.rule && answer.rule->priority > 0
                 ? " priority " + std::to_string(answer.rule->priority - 1)
                 : " priority N, and that rule a larger one: nothing comes before 0"));
  else
    findings.fail(rail.name(), first + " answers before the main table, and sends " + range + " " + way,
                  "the rail's rule or the main table first", rules_source,
                  "find who wrote it (ip rule show), and give the rail a rule with a lower priority number");
}

// What comes for this address is delivered only if the lookup finds it to be local, before anything else.
// Empty: so it is, or the tables do not show the kernel's own.
std::string not_local(const FibTables& tables, const Rail& rail, const DeviceNames& names) {
  for (const auto& own : rail.own()) {
    const bool known = std::ranges::any_of(tables.routes, [&](const Route& route) {
      return route.type == RTN_LOCAL && route.destination.contains(own.address);
    });
    if (!known) continue;
    const IpPrefix itself{own.address, width(own.family())};
    for (const auto& part : fib_ranges(tables, FibFlow{}, itself))
      if (part.answer.outcome != FibOutcome::unsure &&
          (part.answer.outcome != FibOutcome::route || part.answer.route->type != RTN_LOCAL))
        return to_string(own.address) + " is sent on " + whither(part.answer, names) +
               " before the table local is asked";
  }
  return {};
}

void judge(CheckFindings& findings, const Rail& rail, const FibTables& tables, const FibFlow& flow,
           const DeviceNames& names) {
  if (const auto why = not_local(tables, rail, names); !why.empty()) {
    findings.fail(rail.name(), why, "the table local first", rules_source,
                  "what comes for the rail is not delivered: ip rule add priority 0 lookup local");
    return;
  }
  const auto own = own_rules(tables.rules, *flow.source);
  std::vector<unsigned> of_the_rail{RT_TABLE_MAIN};
  for (const auto* rule : own)
    of_the_rail.push_back(rule->table);
  if (flow.vrf_table) of_the_rail.push_back(*flow.vrf_table);
  const Seen seen = look(tables, flow, rail.link->index, of_the_rail);
  const auto used = [&](const Rule* rule) {
    return std::ranges::find(seen.used, rule->table) != seen.used.end();
  };
  const auto kept_from = std::ranges::find_if(own, [&](const Rule* rule) {
    const Rule* first = seen.shadowed ? seen.shadowed->answer.rule : nullptr;
    return rule->table == seen.shadowed_table || (first && rule->priority > first->priority);
  });
  // `own` of a rail whose main table carries it: a leftover of sbr, without effect.
  const auto empty =
      std::ranges::find_if(own, [&](const Rule* rule) { return !seen_in(tables, *rule, rail); });
  const auto taken = std::ranges::find_if(own, used);
  if (!seen.routed)
    findings.fail(
        rail.name(),
        own.empty() ? "neither a rule nor the main table has a route out of the rail"
                    : "table " + std::to_string(own.front()->table) + " of rule '" +
                          ip_rule_form(*own.front()) + "' has no route out of the rail",
        "a rule of its own, or routes in the main table", rules_source,
        "the sbr plugin is missing from the network attachment, or its rule or routes were removed: "
        "ip rule show, then recreate the Pod");
  else if (seen.shadowed)
    say_shadowed(findings, rail, seen, kept_from == own.end() ? nullptr : *kept_from, names);
  else if (seen.unsure)
    findings.unknown(rail.name(), *seen.unsure, "the rail's rule or the main table first", rules_source,
                     "ip rule show; ip route get ADDRESS from " + to_string(*flow.source));
  else if (empty != own.end())
    findings.warn(rail.name(),
                  "table " + std::to_string((*empty)->table) + " of rule '" + ip_rule_form(**empty) +
                      "' has no route out of the rail; the main table has, and carries it",
                  "a route out of the rail", rules_source,
                  "the table is stale: ip route show table " + std::to_string((*empty)->table) +
                      "; delete the Pod so that sbr writes it again");
  else if (taken != own.end())
    findings.pass(rail.name(), ip_rule_form(**taken), "the rail's rule first", rules_source);
  else
    findings.pass(rail.name(), "no rule of its own; the main table has its routes",
                  "a rule of its own, or routes in the main table", rules_source);
}

}  // namespace

extern const Check net_rules{
    .name = "net.rules",
    .summary = "no policy rule takes what the rails have routes for, before their own rule or the main table",
    .why =
        "A rule from a CNI or a VPN that answers for every source shadows the rails' tables: traffic leaves "
        "by the wrong device, and no route table shows why.",
    .reads =
        "RTM_GETRULE and RTM_GETROUTE (all tables), for every address that a route out of the rail is for",
    .fix =
        "ip rule show; the rail's 'from ADDRESS' rule needs the lowest priority number of those that match "
        "it.",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("net.rules");
          const auto rails = rails_up_or_say(host, policy, findings);
          if (!rails) return findings.done();
          const auto names = device_names(host);
          for (const auto& rail : *rails) {
            if (rail.own().empty()) {
              findings.fail(rail.name(), "no " + to_string(rail.family()) + " address, so no rule can match",
                            "an address", "RTM_GETADDR, /proc/net/if_inet6",
                            "give the rail its address: CNI and IPAM in a Pod, netplan on the host");
              continue;
            }
            const auto tables = host.fib(rail.family());
            if (!tables) {
              findings.unknown("node", tables.why, "", rules_source, "run on the node itself");
              return findings.done();
            }
            judge(findings, rail, *tables, flow_from(rail, *host.links()), names);
          }
          return findings.done();
        },
};

}  // namespace mlc::checks
