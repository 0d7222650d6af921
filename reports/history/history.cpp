#include "reports/history/history.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <set>

#include "reports/history/cuts.hpp"
#include "reports/record/reasons.hpp"
#include "reports/record/text.hpp"

namespace mlc {

std::optional<std::int64_t> parse_utc(std::string_view text) {
  const auto number = [&](std::size_t at, std::size_t length, int& value) {
    const auto part = text.substr(at, length);
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    return part.size() == length && error == std::errc{} && end == part.data() + length &&
           part.front() != '-';
  };
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (text.size() != 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' ||
      text[16] != ':' || text[19] != 'Z')
    return std::nullopt;
  if (!number(0, 4, year) || !number(5, 2, month) || !number(8, 2, day) || !number(11, 2, hour) ||
      !number(14, 2, minute) || !number(17, 2, second))
    return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count() * 86400LL + hour * 3600 + minute * 60 +
         second;
}

std::int64_t slot_of(std::int64_t time_s, std::int64_t slot_s) {
  return time_s / slot_s - (time_s % slot_s < 0);
}

namespace {

std::string two(unsigned value) { return (value < 10 ? "0" : "") + std::to_string(value); }

}  // namespace

std::string utc_day(std::int64_t time_s) {
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(slot_of(time_s, 86400)))};
  return std::to_string(static_cast<int>(date.year())) + "-" + two(static_cast<unsigned>(date.month())) +
         "-" + two(static_cast<unsigned>(date.day()));
}

std::string utc_text(std::int64_t time_s) {
  const auto rest = static_cast<unsigned>(time_s - slot_of(time_s, 86400) * 86400);
  return utc_day(time_s) + "T" + two(rest / 3600) + ":" + two(rest / 60 % 60) + ":" + two(rest % 60) + "Z";
}

namespace {

// What every node says of a matter: one value, or all of them.
Versions versions_of(const Report& report) {
  std::map<std::string, std::set<std::string>> all;
  for (const auto& node : report.environment.nodes) {
    all["kernel"].insert(node.kernel);
    all["system"].insert(node.os);
    for (const auto& [name, version] : node.versions)
      all[name].insert(version);
    for (const auto& gpu : node.gpus)
      if (!gpu.driver.empty()) all["GPU driver"].insert(gpu.driver);
  }
  for (const auto& [part, how] : report.tool.built)
    all["built with " + part].insert(how);
  all["mlc-bench"].insert(report.tool.version);
  all["policy"].insert(report.run.policy);
  // Of many nodes it would be of none.
  if (report.environment.nodes.size() <= 2)
    for (const auto& node : report.environment.nodes)
      all[hardware_key(node.name)].insert(hardware_of(node));
  // A policy may change under its name. FNV-1a: it tells texts apart, nobody is kept from forging one.
  if (report.figures.policy) {
    std::uint64_t hash = 14695981039346656037ull;
    for (const unsigned char c : report.figures.policy->text)
      hash = (hash ^ c) * 1099511628211ull;
    all["policy text"].insert(std::to_string(hash));
  }
  Versions versions;
  for (const auto& [what, values] : all) {
    const std::string text = join(std::vector<std::string>(values.begin(), values.end()), " | ");
    if (!text.empty()) versions[what] = text;
  }
  return versions;
}

std::string nodes_text(const Report& report) {
  const auto& nodes = report.environment.nodes;
  if (nodes.empty()) return "unnamed node";
  if (nodes.size() == 1) return nodes[0].name;
  if (nodes.size() == 2) return nodes[0].name + "+" + nodes[1].name;
  return std::to_string(nodes.size()) + " nodes from " + nodes[0].name;
}

// The driver, the library and the policy stay out of it: they are what history looks for. A change of theirs
// moves the whole fleet and with it the median.
std::string stratum_of(const Report& report) {
  std::map<std::string, std::size_t> parts;
  std::string text;
  if (!report.environment.nodes.empty()) {
    const Node& node = report.environment.nodes.front();
    for (const auto& gpu : node.gpus)
      ++parts[gpu.name];
    for (const auto& [name, count] : parts)
      text += (text.empty() ? "" : " + ") + std::to_string(count) + " x " + name;
    if (text.empty()) text = node.cpu;
  }
  if (!report.run.backend.empty()) text += (text.empty() ? "" : " · ") + report.run.backend;
  if (report.run.nodes > 1) text += " · " + std::to_string(report.run.nodes) + " nodes";
  return text;
}

}  // namespace

std::optional<HistoryRun> history_run(const Report& report, std::string* why) {
  const auto time_s = parse_utc(report.run.started);
  if (!time_s || report.run.id.empty()) {
    if (why != nullptr) *why = report.run.id.empty() ? "the run has no id" : "run.started is no UTC time";
    return std::nullopt;
  }
  HistoryRun run{.id = report.run.id,
                 .time_s = *time_s,
                 .node = nodes_text(report),
                 .stratum = stratum_of(report),
                 .versions = versions_of(report),
                 .readings = {}};
  for (const auto& series : report.series) {
    const std::string metric =
        series_name(series) + ", " + std::to_string(series.ranks) + (series.ranks == 1 ? " rank" : " ranks");
    const bool bandwidth = series.busbw_gb_s > 0;
    const double value = bandwidth ? series.busbw_gb_s : series.time_us.p50;
    if (std::isfinite(value) && value > 0)
      run.readings.push_back({"", -1, metric, bandwidth ? "gb_s" : "us", value});
  }
  for (const auto& rail : report.figures.rails)
    if (std::isfinite(rail.gbit_s) && rail.gbit_s > 0)
      run.readings.push_back({rail.node == run.node ? "" : rail.node, rail.rail,
                              operation_of(rail) + " " + bytes_text(rail.bytes), "gbit_s", rail.gbit_s});
  return run;
}

bool History::add(const HistoryRun& run) {
  if (!ids_.insert(run.id).second) return false;
  const auto [version, fresh] =
      version_index_.try_emplace(run.versions, static_cast<std::uint32_t>(versions_.size()));
  if (fresh) versions_.push_back(run.versions);
  std::string key;
  for (const auto& reading : run.readings) {
    key = reading.metric;
    key += '\0';
    key += reading.unit;
    key += '\0';
    key += run.stratum;
    const auto [group, new_group] = group_index_.try_emplace(key, groups_.size());
    if (new_group) groups_.push_back({reading.metric, reading.unit, run.stratum, {}});
    const std::string& node = reading.node.empty() ? run.node : reading.node;
    key = std::to_string(group->second);
    key += '\0';
    key += std::to_string(reading.rail);
    key += '\0';
    key += node;
    auto& tracks = groups_[group->second].tracks;
    const auto [track, new_track] = track_index_.try_emplace(key, tracks.size());
    if (new_track) tracks.push_back({node, reading.rail, {}});
    tracks[track->second].points.push_back({run.time_s, version->second, reading.value});
  }
  return true;
}

void History::sort() {
  for (auto& group : groups_) {
    std::sort(group.tracks.begin(), group.tracks.end(), [](const Track& a, const Track& b) {
      return std::tie(a.node, a.rail) < std::tie(b.node, b.rail);
    });
    for (auto& track : group.tracks)
      std::stable_sort(track.points.begin(), track.points.end(),
                       [](const Point& a, const Point& b) { return a.time_s < b.time_s; });
  }
  track_index_.clear();  // the tracks have moved; a history that has been sorted is complete
}

}  // namespace mlc
