#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "reports/faces/html_frame.hpp"
#include "reports/faces/html_sections.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

// With more nodes than this only those that are not clean have rows, and each leaf one for its clean ones.
constexpr std::size_t most_rows = 512;
// A map of more leaves than this is not read: its worst ways are listed.
constexpr std::size_t most_leaves = 64;
constexpr std::size_t most_ways = 200;
constexpr double worth_a_number = .95;
constexpr std::size_t longest_name = 24;  // in a cell

// One hue, darker for worse, so that it reads the same to everybody; what is bad has its number too.
struct Shade {
  double from;
  const char* name;
  const char* about;
};
constexpr std::array<Shade, 6> shades{{{.98, "s0", "98 % and more of what is usual"},
                                       {.95, "s1", "95 to 98 %"},
                                       {.90, "s2", "90 to 95 %"},
                                       {.75, "s3", "75 to 90 %"},
                                       {1e-9, "s4", "below 75 %"},
                                       {-1e300, "s5", "nothing came through"}}};

// What is no number was not seen to come through.
const Shade& shade_of(double ratio) {
  const auto found = std::ranges::find_if(shades, [&](const Shade& shade) { return ratio >= shade.from; });
  return found == shades.end() ? shades.back() : *found;
}

std::string percent_of(double ratio) { return ratio > 0 ? fixed(ratio * 100, 0) : "×"; }

std::string short_name(const std::string& name) {
  return name.size() <= longest_name ? name : name.substr(0, longest_name - 1) + "…";
}

void write_strip(HtmlWriter& html, double ratio, const std::string& about) {
  html.open("span", {{"class", std::string("strip ") + shade_of(ratio).name}, {"title", about}})
      .text(ratio < worth_a_number ? percent_of(ratio) : "")
      .close();
}

// What a node showed in a round, or the worst that several did: of each rail the worse way.
struct Shown {
  std::vector<double> sending, receiving;  // [rail]
  std::string partner;

  void add(const std::vector<double>& sends, const std::vector<double>& receives) {
    sending.resize(sends.size(), 2), receiving.resize(receives.size(), 2);
    const auto worse = [](double before, double ratio) {  // what is no number did not come through
      return ratio >= 0 ? std::min(before, ratio) : 0;
    };
    for (std::size_t rail = 0; rail < sends.size(); ++rail)
      sending[rail] = worse(sending[rail], sends[rail]),
      receiving[rail] = worse(receiving[rail], receives[rail]);
  }
};

using Rounds = std::map<int, Shown>;

void worsen(Rounds& rounds, const Rounds& by) {
  for (const auto& [round, shown] : by)
    rounds[round].add(shown.sending, shown.receiving);
}

class Grid {
 public:
  explicit Grid(const FleetFigures& fleet) : fleet_(fleet), shown_(fleet.nodes.size()) {
    for (const auto& test : fleet.held) {
      std::array<std::vector<double>, 2> sent;  // by first, by second
      for (std::size_t i = 0; i < test.ratios.size(); ++i)
        sent[i % 2].push_back(test.ratios[i]);
      Shown &first = shown_[at(test.first)][test.round], &second = shown_[at(test.second)][test.round];
      first.add(sent[0], sent[1]), second.add(sent[1], sent[0]);
      first.partner = fleet.nodes[at(test.second)].name, second.partner = fleet.nodes[at(test.first)].name;
      last_ = std::max(last_, test.round);
    }
  }

  void write(HtmlWriter& html) const {
    const bool whole = fleet_.nodes.size() <= most_rows;
    html.open("div", {{"class", "scroll"}, {"role", "group"}, {"tabindex", "0"}, {"aria-label", "Rounds"}});
    html.open("table", {{"class", "grid"}}).leaf("caption", "What each node showed in each round");
    html.open("thead").open("tr");
    for (const char* head : {"node", "stands", "tests", "worst"})
      html.leaf("th", head, {{"scope", "col"}});
    for (int round = 1; round <= last_; ++round)
      html.leaf("th", "round " + std::to_string(round) + ", rails 0 to " + std::to_string(fleet_.rails - 1),
                {{"scope", "col"}});
    html.close().close().open("tbody");
    std::size_t rows = 0, left_out = 0;
    for (const auto& [leaf, nodes] : by_leaf()) {
      if (!leaf.empty()) write_leaf(html, leaf, nodes.size());
      Rounds clean;
      std::size_t clean_nodes = 0;
      for (const std::size_t node : nodes)
        if (!whole && fleet_.nodes[node].standing == "CLEAN")
          worsen(clean, shown_[node]), ++clean_nodes;
        else if (rows++ < most_rows)
          write_node(html, node);
        else
          ++left_out;
      if (clean_nodes > 0) write_clean(html, clean, clean_nodes);
    }
    close_table(html);
    if (left_out > 0) html.leaf("p", std::to_string(left_out) + " more nodes are in the JSON.");
  }

 private:
  static std::size_t at(int position) { return static_cast<std::size_t>(position); }

  // In the order in which leaves first have a node; without leaves all are under one empty name.
  std::vector<std::pair<std::string, std::vector<std::size_t>>> by_leaf() const {
    std::vector<std::pair<std::string, std::vector<std::size_t>>> groups;
    std::map<std::string, std::size_t> known;
    for (std::size_t node = 0; node < fleet_.nodes.size(); ++node) {
      std::vector<std::string> names;
      for (const auto& leaf : fleet_.nodes[node].leaves)
        if (!leaf.empty() && std::ranges::count(names, leaf) == 0) names.push_back(leaf);
      const std::string name = join(names, ", ");
      const auto [place, fresh] = known.emplace(name, groups.size());
      if (fresh) groups.emplace_back(name, std::vector<std::size_t>());
      groups[place->second].second.push_back(node);
    }
    return groups;
  }

  void write_leaf(HtmlWriter& html, const std::string& leaf, std::size_t nodes) const {
    html.open("tr", {{"class", "leaf"}});
    html.leaf("th", "leaf " + leaf + ": " + std::to_string(nodes) + (nodes == 1 ? " node" : " nodes"),
              {{"scope", "rowgroup"}, {"colspan", std::to_string(4 + last_)}});
    html.close();
  }

  void write_node(HtmlWriter& html, std::size_t node) const {
    const NodeStanding& standing = fleet_.nodes[node];
    const bool accused = standing.standing == "FAULTY";
    html.open("tr", {{accused ? "class" : "", "fail"}}).leaf("th", standing.name, {{"scope", "row"}});
    html.leaf("td", standing.standing).leaf("td", std::to_string(standing.tests));
    html.leaf("td", standing.tests > 0
                        ? percent_of(standing.worst_ratio) + (standing.worst_ratio > 0 ? " %" : "")
                        : "–");
    write_rounds(html, shown_[node]);
  }

  void write_clean(HtmlWriter& html, const Rounds& rounds, std::size_t nodes) const {
    html.open("tr").leaf("th", std::to_string(nodes) + " clean nodes, their worst", {{"scope", "row"}});
    html.leaf("td", "CLEAN").leaf("td", "").leaf("td", "");
    write_rounds(html, rounds);
  }

  void write_rounds(HtmlWriter& html, const Rounds& rounds) const {
    for (int round = 1; round <= last_; ++round) {
      const auto found = rounds.find(round);
      if (found == rounds.end()) {
        html.leaf("td", "", {{"class", "round"}});
        continue;
      }
      const Shown& shown = found->second;
      html.open("td", {{"class", "round"}}).open("span", {{"class", "strips"}});
      for (std::size_t rail = 0; rail < shown.sending.size(); ++rail)
        write_strip(html, std::min(shown.sending[rail], shown.receiving[rail]),
                    "rail " + std::to_string(rail) + ": sends " + percent_of(shown.sending[rail]) +
                        ", receives " + percent_of(shown.receiving[rail]) + " % of what is usual");
      html.close();
      if (!shown.partner.empty())
        html.leaf("span", "with " + short_name(shown.partner),
                  {{"class", "partner"}, {"title", shown.partner}});
      html.close();
    }
    html.close();
  }

  const FleetFigures& fleet_;
  std::vector<Rounds> shown_;  // by node
  int last_ = 0;
};

std::string way_text(const FleetWay& way) {
  return way.uplink ? "uplink " + std::to_string(*way.uplink) + (way.down ? ", down" : ", up")
                    : "to " + way.towards;
}

// Numbers before words: uplinks in their order, the two ways of one beside each other.
using Column = std::tuple<int, bool, std::string>;
Column column_of(const FleetWay& way) { return {way.uplink.value_or(-1), way.down, way.towards}; }

void write_map(HtmlWriter& html, const std::vector<FleetWay>& ways, int rail) {
  std::set<Column> columns;
  std::map<std::string, std::map<Column, const FleetWay*>> rows;
  for (const auto& way : ways)
    if (way.rail == rail) columns.insert(column_of(way)), rows[way.leaf][column_of(way)] = &way;
  if (rows.empty()) return;
  const std::string caption =
      "Rail " + std::to_string(rail) + ": least share of a queue pair beside its siblings, %";
  html.open("div", {{"class", "scroll"}, {"role", "group"}, {"tabindex", "0"}, {"aria-label", caption}});
  html.open("table", {{"class", "grid map"}}).leaf("caption", caption).open("thead").open("tr");
  html.leaf("th",
            "rail " + std::to_string(rail) + (std::get<0>(*columns.begin()) < 0 ? ", from leaf" : ", leaf"),
            {{"scope", "col"}});
  for (const auto& [uplink, down, towards] : columns)
    html.leaf("th", uplink < 0 ? "to " + towards : std::to_string(uplink) + (down ? " ↓" : " ↑"),
              {{"scope", "col"}});
  html.close().close().open("tbody");
  for (const auto& [leaf, cells] : rows) {
    html.open("tr").leaf("th", leaf, {{"scope", "row"}});
    for (const auto& column : columns) {
      const auto found = cells.find(column);
      html.open("td", {{"class", "round"}});
      if (found == cells.end())
        html.leaf("span", "–", {{"class", "strip untested"}, {"title", "not tested"}});
      else
        write_strip(html, found->second->least_share,
                    percent_of(found->second->least_share) + " % at least, of " +
                        std::to_string(found->second->queue_pairs) + " queue pairs");
      html.close();
    }
    html.close();
  }
  close_table(html);
}

void write_worst_ways(HtmlWriter& html, std::vector<FleetWay> ways) {
  std::erase_if(ways, [](const FleetWay& way) { return way.least_share >= worth_a_number; });
  std::ranges::stable_sort(ways, {}, &FleetWay::least_share);
  if (ways.size() > most_ways) ways.resize(most_ways);
  open_table(html, "The worst ways between leaves", {"leaf", "rail", "way", "least share", "queue pairs"});
  for (const auto& way : ways) {
    html.open("tr").leaf("th", way.leaf, {{"scope", "row"}}).leaf("td", std::to_string(way.rail));
    html.leaf("td", way_text(way)).leaf("td", percent_of(way.least_share) + " %");
    html.leaf("td", std::to_string(way.queue_pairs)).close();
  }
  close_table(html);
}

void write_ways(HtmlWriter& html, const FleetFigures& fleet) {
  if (fleet.ways.empty()) return;
  const bool uplinks =
      std::ranges::any_of(fleet.ways, [](const FleetWay& way) { return way.uplink.has_value(); });
  html.leaf("h3", uplinks ? "Leaves and their uplinks" : "Between leaves");
  html.leaf("p",
            "The least share of the rate that a queue pair had beside its siblings on this way: one that is "
            "low where the rail's total is full is a slow uplink. – was not tested.");
  std::set<std::string> leaves;
  for (const auto& way : fleet.ways)
    leaves.insert(way.leaf);
  if (leaves.size() > most_leaves) {
    write_worst_ways(html, fleet.ways);
    return;
  }
  for (int rail = 0; rail < fleet.rails; ++rail)
    write_map(html, fleet.ways, rail);
}

std::string held_text(const FleetFigures& fleet) {
  std::string text = std::to_string(fleet.nodes.size()) + " nodes, " + std::to_string(fleet.rails) +
                     " rails; " + std::to_string(fleet.rounds) + " rounds of at most " +
                     std::to_string(fleet.most_rounds) + ", " + std::to_string(fleet.tests) + " tests";
  if (fleet.not_measured > 0) text += ", " + std::to_string(fleet.not_measured) + " of them not measured";
  if (!fleet.engine.empty()) text += ", over " + fleet.engine;
  text += "; " + fixed(fleet.target_gbit_s, fleet.target_gbit_s < 1 ? 4 : 1) + " Gbit/s a rail is " +
          (fleet.target_inferred ? "what the fastest tenth of the flows reached" : "the target");
  text += fleet.groups > 0
              ? "; leaves by " + fleet.topology + " (" + std::to_string(fleet.groups) + " groups of nodes)"
              : "; no leaves known";
  return text + "; seed " + std::to_string(fleet.seed) + ".";
}

void write_flows(HtmlWriter& html, const FleetPlace& place) {
  const auto counted = [](const FleetFlow& flow) {
    return !flow.sender_counters.empty() || !flow.receiver_counters.empty();
  };
  const bool any_counted = std::ranges::any_of(place.evidence_for, counted) ||
                           std::ranges::any_of(place.evidence_against, counted);
  const std::string caption = "Evidence: " + place.where;
  if (any_counted)
    open_table(
        html, caption,
        {"", "round", "from", "to", "rail", "queue pair", "of what is usual", "nats", "counters that grew"});
  else
    open_table(html, caption, {"", "round", "from", "to", "rail", "queue pair", "of what is usual", "nats"});
  const auto grew = [](const std::string& node, const std::vector<std::string>& counters) {
    return counters.empty() ? "" : node + ": " + join(counters, ", ") + " ";
  };
  for (const auto* flows : {&place.evidence_for, &place.evidence_against})
    for (const auto& flow : *flows) {
      html.open("tr").leaf("th", flows == &place.evidence_for ? "for" : "against", {{"scope", "row"}});
      html.leaf("td", std::to_string(flow.round)).leaf("td", flow.from).leaf("td", flow.to);
      html.leaf("td", std::to_string(flow.rail));
      html.leaf("td", flow.queue_pair ? std::to_string(*flow.queue_pair) : "all");
      html.leaf("td", flow.ratio > 0 ? percent_text(flow.ratio) : "dead").leaf("td", fixed(flow.nats, 1));
      if (any_counted)
        html.leaf("td", grew(flow.from, flow.sender_counters) + grew(flow.to, flow.receiver_counters),
                  {{"class", "text"}});
      html.close();
    }
  close_table(html);
}

// What each place rests on: the strongest flows for it and against it, and what else it could be.
void write_evidence(HtmlWriter& html, const FleetFigures& fleet) {
  for (const auto& place : fleet.places) {
    if (place.evidence_for.empty() && place.evidence_against.empty()) continue;
    html.open("details").leaf(
        "summary",
        "Evidence: " + place.where + ", " + place.standing +
            (place.margin > 0 ? ", " + fixed(place.margin, 1) + " nats over any other cause" : ""));
    if (!place.rivals.empty()) html.leaf("p", "It could also be: " + join(place.rivals, "; ") + ".");
    write_flows(html, place);
    html.close();
  }
}

}  // namespace

void write_fleet(HtmlWriter& html, const Report& report) {
  if (!report.figures.fleet) return;
  const FleetFigures& fleet = *report.figures.fleet;
  html.open("section", {{"id", "fleet"}}).leaf("h2", "The fleet, round by round");
  html.leaf("p", held_text(fleet));
  if (!fleet.alarm.empty()) html.leaf("p", fleet.alarm, {{"class", "note"}});
  if (!fleet.simulated.empty()) html.leaf("p", "How sure: " + fleet.simulated, {{"class", "counts"}});
  write_evidence(html, fleet);
  html.open("ul", {{"class", "shades"}});
  for (const auto& shade : shades)
    html.open("li")
        .leaf("span", "", {{"class", std::string("strip ") + shade.name}})
        .text(std::string(" ") + shade.about)
        .close();
  html.close();
  Grid(fleet).write(html);
  write_ways(html, fleet);
  if (!fleet.troubles.empty()) {
    html.open("details").leaf("summary", "What was not measured, and why").open("ul");
    for (const auto& trouble : fleet.troubles)
      html.leaf("li", trouble);
    html.close().close();
  }
  html.close();
}

}  // namespace mlc
