#include "reports/history/cuts.hpp"

#include <algorithm>
#include <set>

#include "reports/record/moment.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

constexpr std::size_t kept_of_uuid = 12;  // its last group
constexpr std::string_view hardware_prefix = "GPUs of ";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\"");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\"") - first + 1);
}

std::string in_lower_case(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

// The nodes of a track: "gpu-a", or of a run over two "gpu-a+gpu-b".
bool is_of(const History::Track& track, std::string_view node) {
  if (track.node == node) return true;
  const auto plus = track.node.find('+');
  return plus != std::string::npos && (std::string_view(track.node).substr(0, plus) == node ||
                                       std::string_view(track.node).substr(plus + 1) == node);
}

// Which GPUs of a run were not there before.
std::vector<std::string> new_ones(const Versions& versions, const History::Track& track,
                                  std::map<std::string, std::set<std::string>>& seen) {
  std::vector<std::string> found;
  for (const auto& [key, value] : versions) {
    if (!key.starts_with(hardware_prefix)) continue;
    const std::string node = key.substr(hardware_prefix.size());
    if (!is_of(track, node)) continue;
    const auto parts = split_words(value);
    auto& known = seen[node];
    const bool first = known.empty();
    for (std::size_t i = 0; i < parts.size(); ++i)
      if (known.insert(parts[i]).second && !first)
        found.push_back("GPU " + std::to_string(i) + " of " + node + " is another (" + parts[i] + ")");
  }
  return found;
}

}  // namespace

std::vector<Repair> repairs_from_csv(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // as spreadsheets write it
  std::vector<Repair> repairs;
  int number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    const auto line = trimmed(text.substr(at, end - at));
    at = end + 1;
    ++number;
    if (line.empty() || line.front() == '#') continue;
    const auto comma = std::min(line.find(','), line.size());
    const auto rest = line.substr(std::min(comma + 1, line.size()));
    const auto second = std::min(rest.find(','), rest.size());
    const std::string node(trimmed(line.substr(0, comma))), time(trimmed(rest.substr(0, second)));
    if (number == 1 && in_lower_case(node) == "node" && in_lower_case(time) == "time") continue;
    const std::string moment =
        time.size() == std::string_view("2026-01-05").size() ? time + "T00:00:00Z" : time;
    auto when = parse_rfc3339(moment);
    // No 30th of February, which the C library takes for a day in March.
    if (when && rfc3339(*when) != moment) when.reset();
    if (node.empty() || !when)
      throw RepairsError(
          "line " + std::to_string(number) + ": '" + printable(line, 80) +
          "' is no repair; write NODE,TIME,WHAT with the time as 2026-01-05 or 2026-01-05T03:00:00Z");
    repairs.push_back({node, *when, std::string(trimmed(rest.substr(std::min(second + 1, rest.size()))))});
  }
  return repairs;
}

std::string hardware_key(const std::string& node) { return std::string(hardware_prefix) + node; }

std::string hardware_of(const Node& node) {
  std::vector<std::string> parts;
  for (const auto& gpu : node.gpus)
    if (!gpu.uuid.empty())
      parts.push_back(gpu.uuid.substr(gpu.uuid.size() - std::min(gpu.uuid.size(), kept_of_uuid)));
  return join(parts, " ");
}

std::vector<HistoryCut> cuts_of(const History::Track& track, const std::vector<Versions>& versions,
                                std::span<const Repair> repairs) {
  std::vector<HistoryCut> cuts;
  std::map<std::string, std::set<std::string>> seen;
  for (std::size_t i = 0; i < track.points.size(); ++i) {
    const auto& point = track.points[i];
    std::vector<std::string> why;
    if (i > 0)
      for (const auto& repair : repairs)
        if (is_of(track, repair.node) && track.points[i - 1].time_s < repair.time_s &&
            repair.time_s <= point.time_s)
          why.push_back(repair.what.empty() ? "repaired" : repair.what);
    // Most runs are as the one before.
    if (i == 0 || point.versions != track.points[i - 1].versions) {
      const auto fresh = new_ones(versions[point.versions], track, seen);
      why.insert(why.end(), fresh.begin(), fresh.end());
    }
    if (!why.empty()) cuts.push_back({track.node, point.time_s, join(why, "; ")});
  }
  return cuts;
}

}  // namespace mlc
