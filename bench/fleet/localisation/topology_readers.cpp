#include "bench/fleet/localisation/topology_readers.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <nlohmann/json.hpp>

#include "bench/fleet/localisation/hostlist.hpp"
#include "reports/record/json_reader.hpp"
#include "reports/record/text.hpp"

namespace mlc::fleet {

namespace {

// Topograph: network.topology.nvidia.com/leaf, from 1.0 fabric.topograph.run/tier-0. GKE: a sub-block shares
// its first switch. EKS: layer 3 is next to the node; instances of older families have no third.
constexpr std::array<std::string_view, 5> known_labels{
    "fabric.topograph.run/tier-0", "network.topology.nvidia.com/leaf",
    "cloud.google.com/gce-topology-subblock", "topology.k8s.aws/network-node-layer-3",
    "topology.k8s.aws/network-node-layer-2"};

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && blank(text.back()))
    text.remove_suffix(1);
  return text;
}

struct Line {
  std::string text;
  int number = 0;
};

// Without comments and empty ones; a backslash at the end goes on with the next, as Slurm has it.
std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> lines;
  bool goes_on = false;
  int number = 0;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    line = trimmed(line.substr(0, line.find('#')));
    const bool more = line.ends_with('\\');
    if (more) line = trimmed(line.substr(0, line.size() - 1));
    if (goes_on)
      lines.back().text += " " + std::string(line);
    else if (!line.empty() || more)
      lines.push_back({std::string(line), number});
    goes_on = more;
  }
  return lines;
}

bool is_json(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  return begin != std::string_view::npos && text[begin] == '{';
}

[[noreturn]] void refuse(const Line& line, const std::string& why) {
  throw TopologyError("topology, line " + std::to_string(line.number) + ": " + why);
}

}  // namespace

std::vector<Placement> placements_from_slurm(std::string_view text) {
  std::vector<Placement> placements;
  for (const auto& line : lines_of(text)) {
    std::string name, nodes;
    bool is_switch = false;
    for (const auto& word : split_words(line.text)) {
      const auto equals = word.find('=');
      if (equals == word.npos) refuse(line, "'" + printable(word, 60) + "' is no KEY=VALUE");
      const std::string key = lower(word.substr(0, equals)), value = word.substr(equals + 1);
      if (key == "switchname")
        name = value;
      else if (key == "nodes")
        nodes = value;
      else if (key == "switches")
        is_switch = true;
      else if (key != "linkspeed")
        refuse(line,
               "'" + printable(word.substr(0, equals), 40) +
                   "' is none of SwitchName, Nodes, Switches, LinkSpeed (the tree plugin's; a topology of "
                   "blocks has no leaves)");
    }
    if (name.empty()) refuse(line, "a switch without SwitchName");
    if (nodes.empty() && !is_switch)
      refuse(line, "switch " + printable(name, 60) + " has neither Nodes nor Switches");
    if (!nodes.empty())
      for (auto& node : hostlist(nodes))
        placements.push_back({.node = std::move(node), .rail = -1, .leaf = name, .port = {}});
  }
  return placements;
}

std::vector<Placement> placements_from_csv(std::string_view text) {
  std::vector<Placement> placements;
  for (const auto& line : lines_of(text)) {
    std::vector<std::string> fields;
    std::string_view rest = line.text;
    for (bool more = true; more;) {
      const auto comma = rest.find(',');
      more = comma != rest.npos;
      fields.emplace_back(trimmed(rest.substr(0, comma)));
      if (more) rest.remove_prefix(comma + 1);
    }
    if (fields[0] == "node" && placements.empty()) continue;  // the heading
    if (fields.size() < 3 || fields.size() > 4)
      refuse(line, "'" + printable(line.text, 60) + "' is not node,rail,leaf[,port]");
    if (fields[0].empty() || fields[2].empty()) refuse(line, "a node or a leaf without a name");
    int rail = -1;
    if (!fields[1].empty() && fields[1] != "*") {
      const auto [end, error] = std::from_chars(fields[1].data(), fields[1].data() + fields[1].size(), rail);
      if (error != std::errc{} || end != fields[1].data() + fields[1].size() || rail < 0)
        refuse(line, "'" + printable(fields[1], 20) + "' is no rail");
    }
    placements.push_back({fields[0], rail, fields[2], fields.size() > 3 ? fields[3] : ""});
  }
  return placements;
}

std::vector<Placement> placements_from_lines(std::string_view text) {
  const auto lines = lines_of(text);
  if (lines.empty()) throw TopologyError("topology: the file says nothing");
  // Only Slurm's has KEY=VALUE.
  return lines.front().text.find('=') != std::string::npos ? placements_from_slurm(text)
                                                           : placements_from_csv(text);
}

std::span<const std::string_view> leaf_labels() { return known_labels; }

std::vector<Placement> placements_from_labels(const std::map<std::string, Labels>& nodes,
                                              std::string_view label) {
  std::vector<Placement> placements;
  for (const auto& [node, labels] : nodes)
    if (const auto at = labels.find(std::string(label)); at != labels.end() && !at->second.empty())
      placements.push_back({.node = node, .rail = -1, .leaf = at->second, .port = {}});
  return placements;
}

std::map<std::string, Labels> labels_from_nodes(std::string_view json) {
  std::map<std::string, Labels> nodes;
  try {
    (void)read_json_list(json, "items", [&](const nlohmann::json& node) {
      const auto& about = node.at("metadata");
      const auto [found, first] = nodes.try_emplace(about.at("name").get<std::string>());
      if (!first) throw TopologyError("topology: node " + printable(found->first, 64) + " is there twice");
      Labels& labels = found->second;
      const auto given = about.find("labels");
      if (given == about.end()) return;
      for (const auto& [key, value] : given->items())
        if (std::ranges::find(known_labels, key) != known_labels.end())
          labels[key] = value.get<std::string>();
    });
  } catch (const JsonError& error) {
    throw TopologyError(std::string("topology: ") + error.what());
  } catch (const nlohmann::json::exception&) {
    throw TopologyError("topology: JSON, but not what 'kubectl get nodes -o json' writes");
  }
  if (nodes.empty()) throw TopologyError("topology: no node in the items of this JSON");
  return nodes;
}

Topology topology_from_labels(std::span<const std::string> nodes, int rails,
                              const std::map<std::string, Labels>& labels) {
  std::vector<Topology> found;
  std::string why;
  for (const auto label : known_labels) {
    const auto placements = placements_from_labels(labels, label);
    const bool coarser = label == known_labels.back();  // than the one before it, and no second opinion
    if (placements.empty() || (coarser && !found.empty())) continue;
    try {
      found.push_back(topology_of(nodes, rails, placements, "label " + std::string(label)));
    } catch (const TopologyError& error) {
      why += std::string(why.empty() ? "" : "; ") + error.what();
    }
  }
  if (found.empty())
    throw TopologyError(why.empty() ? "topology: no node has a label that names its leaf (" +
                                          std::string(known_labels[0]) + " or another that is known)"
                                    : why);
  return chosen(std::move(found));
}

Topology topology_from_text(std::span<const std::string> nodes, int rails, std::string_view text,
                            const std::string& source) {
  if (is_json(text)) return topology_from_labels(nodes, rails, labels_from_nodes(text));
  return topology_of(nodes, rails, placements_from_lines(text), source);
}

std::string topology_to_carry(std::string_view text) {
  if (!is_json(text)) {
    (void)placements_from_lines(text);
    return std::string(text);
  }
  nlohmann::json carried{{"items", nlohmann::json::array()}};
  for (const auto& [name, labels] : labels_from_nodes(text))
    carried["items"].push_back({{"metadata", {{"name", name}, {"labels", labels}}}});
  return carried.dump() + "\n";
}

}  // namespace mlc::fleet
