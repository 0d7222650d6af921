#include "validators/host/fib.hpp"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <set>

#include "validators/host/fib_table.hpp"

namespace mlc {

namespace {

enum class Match { no, yes, maybe };

// One way to look up; where kernels or their state differ, all ways are gone and must agree.
struct Way {
  bool merged = false;  // IPv4 without own rules: local and main as one, then default
  FibDevice device = FibDevice::compared;
  const char* why = "";  // what is not known, if this way and the first differ
};

bool is_default_rule(const Rule& rule, unsigned priority, unsigned table) {
  Rule plain;
  plain.priority = priority, plain.table = table, plain.action = FR_ACT_TO_TBL;
  // Dumps differ in what they spell out of a rule that asks for nothing.
  Rule bare = rule;
  if (bare.from && bare.from->length == 0) bare.from.reset();
  if (bare.to && bare.to->length == 0) bare.to.reset();
  return bare == plain;
}

bool default_rules(const std::vector<Rule>& rules) {
  return rules.size() == 3 && is_default_rule(rules[0], 0, RT_TABLE_LOCAL) &&
         is_default_rule(rules[1], 32766, RT_TABLE_MAIN) &&
         is_default_rule(rules[2], 32767, RT_TABLE_DEFAULT);
}

// fib_rule_match() with fib4_rule_match() or fib6_rule_match(); our packets come in by no device, which is
// "lo".
Match match(const Rule& rule, const FibFlow& flow, const IpAddress& destination) {
  Match all = Match::yes;
  const auto needs = [&all](Match one) {
    if (one == Match::no || all == Match::no)
      all = Match::no;
    else if (one == Match::maybe)
      all = Match::maybe;
  };
  const auto sure = [&needs](bool yes) { needs(yes ? Match::yes : Match::no); };
  const bool v4 = destination.family == IpFamily::v4;
  if (rule.to) sure(rule.to->contains(destination));
  if (rule.from && rule.from->length > 0) sure(flow.source && rule.from->contains(*flow.source));
  if (!rule.iif.empty() && rule.iif != "lo")
    needs(!flow.vrf_name.empty() && rule.iif == flow.vrf_name ? Match::maybe : Match::no);
  // Since Linux 6.14 a VRF stands for its devices.
  if (!rule.oif.empty() && (flow.oif == 0 || rule.oif != flow.oif_name))
    needs(!flow.vrf_name.empty() && rule.oif == flow.vrf_name ? Match::maybe : Match::no);
  if (rule.mark) sure(((*rule.mark ^ flow.mark) & rule.mark_mask) == 0);
  if (rule.tos != 0) sure(rule.tos == (flow.tos & (v4 ? 0x1cu : 0xfcu)));
  if (rule.dscp) sure(((*rule.dscp ^ flow.tos >> 2) & rule.dscp_mask) == 0);
  if (rule.l3mdev) sure(flow.vrf_table.has_value());
  if (rule.protocol)
    needs(!flow.protocol ? Match::maybe : *flow.protocol == *rule.protocol ? Match::yes : Match::no);
  if (rule.uid)
    needs(!flow.uid                                                       ? Match::maybe
          : rule.uid->first <= *flow.uid && *flow.uid <= rule.uid->second ? Match::yes
                                                                          : Match::no);
  if (rule.ports) needs(flow.ports_known ? Match::no : Match::maybe);
  if (rule.other) needs(Match::maybe);
  if (!rule.inverted || all == Match::maybe) return all;
  return all == Match::yes ? Match::no : Match::yes;
}

class Lookup {
 public:
  Lookup(const FibTables& tables, const FibFlow& flow, const IpPrefix& within) : flow_(flow) {
    for (const auto& rule : tables.rules)
      rules_.push_back(&rule);
    std::ranges::stable_sort(rules_, {}, &Rule::priority);
    for (const auto& nexthop : tables.nexthops)
      nexthops_[nexthop.id] = &nexthop;
    for (const auto& route : tables.routes) {
      if (route.cached || !route.destination.overlaps(within)) continue;
      const FibRoute resolved = resolve(route);
      tables_[route.table].add(resolved);
      if (route.table == RT_TABLE_MAIN || route.table == RT_TABLE_LOCAL) merged_.add(resolved);
      note(route.destination, within);
    }
    for (const auto& rule : tables.rules)
      if (rule.to && rule.to->overlaps(within)) note(*rule.to, within);
    for (auto& entry : tables_)
      entry.second.sort();
    merged_.sort();
    ways(tables, within.family());
  }

  FibAnswer at(const IpAddress& address) const {
    FibAnswer first = by(ways_.front(), address);
    for (std::size_t i = 1; i < ways_.size(); ++i) {
      FibAnswer other = by(ways_[i], address);
      if (other.same(first)) continue;
      // Two ways of getting nowhere are one to whoever sends.
      const auto fruitless = [](const FibAnswer& one) {
        return one.outcome == FibOutcome::refused || one.outcome == FibOutcome::nothing;
      };
      if (fruitless(first) && fruitless(other)) continue;
      return {FibOutcome::unsure, first.route ? first.route : other.route, first.rule, ways_[i].why};
    }
    return first;
  }

  const std::set<IpBits>& starts() const { return starts_; }

 private:
  FibRoute resolve(const Route& route) const {
    FibRoute resolved{&route, route.paths(), route.type, false};
    if (route.nexthop_id == 0 || !resolved.paths.empty() || route.type != RTN_UNICAST) return resolved;
    // net.ipv4.nexthop_compat_mode=0: the route names the object and no hop.
    const auto found = nexthops_.find(route.nexthop_id);
    resolved.unresolved = found == nexthops_.end();
    if (resolved.unresolved) return resolved;
    const Nexthop& object = *found->second;
    if (object.blackhole) resolved.type = RTN_BLACKHOLE;
    if (object.group.empty()) resolved.paths = {object.hop};
    for (const unsigned id : object.group) {
      const auto member = nexthops_.find(id);
      resolved.unresolved = resolved.unresolved || member == nexthops_.end();
      if (member == nexthops_.end()) continue;
      if (member->second->blackhole) resolved.type = RTN_BLACKHOLE;  // a group has it alone or not at all
      resolved.paths.push_back(member->second->hop);
    }
    return resolved;
  }

  void note(const IpPrefix& prefix, const IpPrefix& within) {
    starts_.insert(std::max(prefix.first(), within.first()).bits);
    if (prefix.last() < within.last()) starts_.insert(prefix.last().bits + 1);
  }

  void ways(const FibTables& tables, IpFamily family) {
    const bool merge = family == IpFamily::v4 && default_rules(tables.rules);
    if (!merge || tables.rules_changed.value_or(true)) ways_.push_back({});
    if (merge && !tables.rules_changed.value_or(false))
      ways_.push_back({true, FibDevice::compared,
                       "it depends on whether a rule was ever added or removed (then "
                       "the local table comes before the main one)"});
    if (flow_.vrf_table && flow_.oif != 0)
      ways_.push_back({false, FibDevice::ignored, "in a VRF kernels before 6.0 do not compare the device"});
  }

  FibAnswer by(const Way& way, const IpAddress& address) const {
    if (way.merged) return merged(way, address);
    std::vector<std::optional<FibAnswer>> known(rules_.size());
    return from_rule(0, way, address, known);
  }

  // fib_lookup() as long as there were no own rules: local and main as one, then default.
  FibAnswer merged(const Way& way, const IpAddress& address) const {
    const FibTableAnswer first = merged_.at(address, flow_, way.device);
    if (first.outcome != FibOutcome::nothing) return {first.outcome, first.route, rules_[1], first.why};
    const FibTableAnswer last = table(RT_TABLE_DEFAULT, way, address);
    if (last.outcome != FibOutcome::nothing) return {last.outcome, last.route, rules_[2], last.why};
    return {};
  }

  FibTableAnswer table(unsigned id, const Way& way, const IpAddress& address) const {
    const auto found = tables_.find(id);
    return found == tables_.end() ? FibTableAnswer{} : found->second.at(address, flow_, way.device);
  }

  // fib_rules_lookup() from the rule at `index` on. `known`: answers from there on, where two paths may lead
  // to one.
  FibAnswer from_rule(std::size_t index, const Way& way, const IpAddress& address,
                      std::vector<std::optional<FibAnswer>>& known) const {
    for (; index < rules_.size(); ++index) {
      if (known[index]) return *known[index];
      const Rule& rule = *rules_[index];
      const Match matched = match(rule, flow_, address);
      if (matched == Match::no) continue;
      const bool maybe = matched == Match::maybe || rule.suppress_ifgroup;
      if (rule.action == FR_ACT_GOTO) {
        const auto target = after(index, rule);
        if (!target) continue;
        if (maybe)
          return known[index].emplace(either(rule, from_rule(*target, way, address, known),
                                             from_rule(index + 1, way, address, known)));
        index = *target - 1;
        continue;
      }
      FibAnswer own = act(rule, way, address);
      if (own.outcome == FibOutcome::nothing) continue;
      if (!maybe) return own;
      return known[index].emplace(either(rule, own, from_rule(index + 1, way, address, known)));
    }
    return {};
  }

  std::optional<std::size_t> after(std::size_t index, const Rule& rule) const {
    if (rule.unresolved || !rule.target) return std::nullopt;
    for (++index; index < rules_.size(); ++index)
      if (rules_[index]->priority == *rule.target) return index;
    return std::nullopt;
  }

  // `nothing`: the next rule is asked.
  FibAnswer act(const Rule& rule, const Way& way, const IpAddress& address) const {
    switch (rule.action) {
      case FR_ACT_TO_TBL:
        break;
      case FR_ACT_NOP:
        return {};
      default:
        return {FibOutcome::refused, nullptr, &rule, {}};
    }
    const FibTableAnswer said = table(rule.l3mdev ? flow_.vrf_table.value_or(0) : rule.table, way, address);
    if (said.outcome == FibOutcome::nothing) return {};
    if (said.outcome == FibOutcome::route && said.route->destination.length <= rule.suppress_prefixlen)
      return {};
    return {said.outcome, said.route, &rule, said.why};
  }

  static FibAnswer either(const Rule& rule, const FibAnswer& matched, const FibAnswer& not_matched) {
    if (matched.same(not_matched)) return not_matched;
    return {FibOutcome::unsure, matched.route ? matched.route : not_matched.route, &rule,
            "rule '" + ip_rule_form(rule) + "' decides, and it is for some of the traffic only"};
  }

  const FibFlow& flow_;
  std::vector<const Rule*> rules_;
  std::map<unsigned, const Nexthop*> nexthops_;
  std::map<unsigned, FibTable> tables_;
  FibTable merged_;
  std::vector<Way> ways_;
  std::set<IpBits> starts_;
};

// Destinations that the kernel treats by other rules than its tables.
std::vector<IpPrefix> special(IpFamily family) {
  std::vector<IpPrefix> all;
  for (const char* text :
       {"0.0.0.0/32", "224.0.0.0/4", "255.255.255.255/32", "::/128", "::1/128", "fe80::/10", "ff00::/8"})
    if (const auto prefix = parse_ip_prefix(text); prefix && prefix->family() == family)
      all.push_back(*prefix);
  return all;
}

}  // namespace

bool ordinary_unicast(const IpAddress& address) {
  return std::ranges::none_of(special(address.family),
                              [&](const IpPrefix& one) { return one.contains(address); });
}

std::vector<FibRange> fib_ranges(const FibTables& tables, const FibFlow& flow, const IpPrefix& within) {
  const Lookup lookup(tables, flow, within);
  std::set<IpBits> starts = lookup.starts();
  starts.insert(within.first().bits);
  const auto apart = special(within.family());
  for (const auto& prefix : apart)
    if (prefix.overlaps(within)) {
      starts.insert(std::max(prefix.first(), within.first()).bits);
      if (prefix.last() < within.last()) starts.insert(prefix.last().bits + 1);
    }
  std::vector<FibRange> ranges;
  for (auto start = starts.begin(); start != starts.end(); ++start) {
    const IpAddress first{within.family(), *start};
    const auto next = std::next(start);
    const IpAddress last = next == starts.end() ? within.last() : IpAddress{within.family(), *next - 1};
    FibAnswer answer = std::ranges::any_of(apart, [&](const IpPrefix& one) { return one.contains(first); })
                           ? FibAnswer{FibOutcome::unsure, nullptr, nullptr, "no ordinary unicast address"}
                           : lookup.at(first);
    if (!ranges.empty() && ranges.back().answer.same(answer))
      ranges.back().range.last = last;
    else
      ranges.push_back({{first, last}, std::move(answer)});
  }
  return ranges;
}

}  // namespace mlc
