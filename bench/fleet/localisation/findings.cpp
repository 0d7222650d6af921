#include "bench/fleet/localisation/findings.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "reports/record/text.hpp"

namespace mlc::fleet {

namespace {

constexpr std::size_t paths_shown = 3;

std::string name_of(int node, std::span<const std::string> names) {
  const auto at = static_cast<std::size_t>(node);
  return at < names.size() ? printable(names[at], 64) : std::to_string(node);
}

std::string leaf_text(const Topology& topology, int leaf) {
  const LeafPlace& place = topology.leaves[static_cast<std::size_t>(leaf)];
  return "leaf " + printable(place.name, 64) + ", rail " + std::to_string(place.rail);
}

constexpr std::array<Standing, 8> all_standings{Standing::clean,  Standing::faulty,     Standing::ambiguous,
                                                Standing::masked, Standing::unresolved, Standing::lost,
                                                Standing::watch,  Standing::path};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& letter : out)
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  return out;
}

// Where what was measured is no node's.
Standing unaccused(Standing standing) {
  return standing == Standing::faulty ? Standing::unresolved : standing;
}

}  // namespace

std::string evidence_text(const FlowEvidence& each, std::span<const std::string> names) {
  std::string text = "round " + std::to_string(each.round) + ", " + name_of(each.from, names) + " to " +
                     name_of(each.to, names) + ", rail " + std::to_string(each.rail);
  if (each.queue_pair >= 0) text += ", queue pair " + std::to_string(each.queue_pair);
  return text + ": " + (each.ratio <= 0 ? "dead" : percent_text(each.ratio) + " of what is usual");
}

std::string location_of(const Component& at, const Topology& topology, std::span<const std::string> names) {
  std::string node = at.of_host() ? "node " + name_of(at.node, names) : "";
  const std::string rail = ", rail " + std::to_string(at.rail);
  switch (at.kind) {
    case Kind::node:
      return node;
    case Kind::end:
      return node + rail;
    case Kind::tx:
      return node + rail + ", sending";
    case Kind::rx:
      return node + rail + ", receiving";
    case Kind::leaf:
      return leaf_text(topology, at.leaf);
    case Kind::up:
      return "uplink " + std::to_string(at.uplink) + " of " + leaf_text(topology, at.leaf) + ", up";
    case Kind::down:
      return "uplink " + std::to_string(at.uplink) + " of " + leaf_text(topology, at.leaf) + ", down";
  }
  return "";
}

std::string location_of(const Located& located, const Topology& topology,
                        std::span<const std::string> names) {
  if (!located.path) return location_of(located.component, topology, names);
  const PathPlace& path = *located.path;
  return "the path from " + name_of(path.from, names) + " to " + name_of(path.to, names) + ", rail " +
         std::to_string(path.rail) + ", source port " + std::to_string(path.queue_pair);
}

std::vector<Told> told_together(const Judgement& judgement, const Topology& topology) {
  auto located = judgement.located;
  std::ranges::stable_sort(located,
                           [](const Located& a, const Located& b) { return a.standing > b.standing; });
  std::vector<Told> all;
  std::map<std::tuple<int, int, int>, std::size_t> paths;  // by rail and leaves: their place in `all`
  for (auto& each : located) {
    if (!each.path) {
      all.push_back({std::move(each)});
      continue;
    }
    const int rail = each.path->rail;
    const auto [at, first] = paths.try_emplace(
        {rail, topology.leaf_of(each.path->from, rail), topology.leaf_of(each.path->to, rail)}, all.size());
    if (first) all.emplace_back();
    all[at->second].push_back(std::move(each));
  }
  for (const auto& [key, at] : paths)
    std::ranges::stable_sort(all[at],
                             [](const Located& a, const Located& b) { return a.severity > b.severity; });
  return all;
}

std::string location_of(const Told& told, const Topology& topology, std::span<const std::string> names) {
  if (told.size() == 1) return location_of(told.front(), topology, names);
  const PathPlace& one = *told.front().path;
  const int from = topology.leaf_of(one.from, one.rail), to = topology.leaf_of(one.to, one.rail);
  const auto leaf = [&](int at) {
    return "leaf " + printable(topology.leaves[static_cast<std::size_t>(at)].name, 64);
  };
  return std::to_string(told.size()) + " paths" +
         (from < 0 || to < 0 ? std::string() : " from " + leaf(from) + " to " + leaf(to)) + ", rail " +
         std::to_string(one.rail);
}

std::string loss_text(const Told& told) {
  const double severity = told.front().severity;
  return (told.size() > 1 ? "of the worst, " : "") +
         (severity >= 1 ? std::string("carries nothing") : percent_text(severity) + " of the rate is lost");
}

bool taints_a_node(const Located& located) {
  return !located.path && located.component.of_host() && located.standing == Standing::faulty;
}

std::string remedy_of(const Located& located) {
  if (located.path)
    return "tell the network's people: one source port is slow between these two and another is not "
           "(ECMP, congestion); the nodes are well";
  const bool sure = located.standing == Standing::faulty;
  switch (located.component.kind) {
    case Kind::node:
      return sure
                 ? "drain the node; all its rails are slow: look at its CPUs, PCIe and power before any cable"
                 : "test it again with other partners before anything is taken out";
    case Kind::end:
    case Kind::tx:
    case Kind::rx:
      return sure ? "drain the node; swap the cable or the optics of this rail, at both ends, then the NIC"
                  : "test it again, or swap one end: whether the fault moves says which it is";
    case Kind::leaf:
      return sure ? "tell the network's people: this leaf switch is slow for all its nodes; the nodes are "
                    "well, "
                    "and are tested again after its repair"
                  : "hold the campaign again; its nodes and the leaf are not settled yet, and nothing is to "
                    "be "
                    "taken out";
    case Kind::up:
    case Kind::down:
      return std::string(
                 "tell the network's people: this uplink of the leaf is slow one way; the nodes are well") +
             (sure ? "" : "; or it is another way that they share: hold the campaign again");
  }
  return "";
}

Decision decision_of(const Judgement& judgement) {
  const auto any = [&](Standing standing) {
    return std::ranges::find(judgement.nodes, standing) != judgement.nodes.end() ||
           std::ranges::any_of(judgement.located,
                               [&](const Located& each) { return each.standing == standing; });
  };
  if (any(Standing::faulty) || any(Standing::path)) return Decision::fail;
  for (const Standing standing :
       {Standing::ambiguous, Standing::unresolved, Standing::masked, Standing::lost})
    if (any(standing)) return Decision::inconclusive;
  return judgement.alarm.empty() ? Decision::pass : Decision::inconclusive;
}

std::string summary_of(const Campaign& campaign, bool accuses) {
  std::string text;
  for (const Standing standing : all_standings)
    if (const auto count = std::ranges::count_if(
            campaign.judgement().nodes,
            [&](Standing each) { return (accuses ? each : unaccused(each)) == standing; });
        count > 0)
      text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + lower(to_string(standing));
  std::size_t others = 0;
  for (const auto& each : campaign.judgement().located)
    others += each.standing == Standing::faulty && !each.component.of_host() && !each.path ? 1 : 0;
  if (others > 0 && accuses) text += ", " + std::to_string(others) + " of the network at fault";
  return text + ", " + std::to_string(campaign.round()) + " rounds";
}

std::string findings_text(const Campaign& campaign, std::span<const std::string> names, bool accuses) {
  const Judgement& judgement = campaign.judgement();
  std::string text;
  for (const auto& warning : judgement.warnings)
    text += "warning: " + warning + "\n";
  if (!judgement.alarm.empty()) text += "FLEET: " + judgement.alarm + "\n";
  for (const auto& told : told_together(judgement, campaign.topology())) {
    const Located& each = told.front();
    text += pad_right(to_string(accuses ? each.standing : unaccused(each.standing)), 10) + " " +
            location_of(told, campaign.topology(), names) + ": " + loss_text(told);
    if (!each.path) text += ", margin " + fixed(each.margin, 1) + " nats";
    text += "\n";
    for (std::size_t i = 0; told.size() > 1 && i < std::min(told.size(), paths_shown); ++i)
      text += "    worst   " + location_of(told[i], campaign.topology(), names) + ": " +
              loss_text({told[i]}) + "\n";
    if (!each.why.empty()) text += "    because " + each.why + "\n";
    for (const auto& rival : each.rivals)
      text += "    or      " + location_of(rival.component, campaign.topology(), names) + "\n";
    for (const auto& seen : each.evidence_for)
      text += "    for     " + evidence_text(seen, names) + "\n";
    for (const auto& seen : each.evidence_against)
      text += "    against " + evidence_text(seen, names) + "\n";
    if (accuses) text += "    next    " + remedy_of(each) + "\n";
  }
  return text + summary_of(campaign, accuses) + "\n";
}

}  // namespace mlc::fleet
