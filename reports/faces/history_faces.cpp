#include "reports/faces/history_faces.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "reports/record/style.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

constexpr std::size_t most_listed = 50;  // of a kind, in a terminal
constexpr std::size_t most_drawn = 60;   // groups, and as many tracks

std::string signed_percent(double fraction) { return (fraction >= 0 ? "+" : "") + percent_text(fraction); }

std::string others_text(const std::vector<std::string>& also) {
  if (also.empty()) return {};
  return " (and " + std::to_string(also.size()) + (also.size() == 1 ? " other: " : " others: ") +
         join(std::vector<std::string>(
                  also.begin(),
                  also.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(also.size(), 3))),
              "; ") +
         (also.size() > 3 ? "; ..." : "") + ")";
}

}  // namespace

std::string subject_of(const HistoryEvent& event) {
  if (event.node.empty())
    return event.members.empty() ? "the fleet"
                                 : std::to_string(event.members.size()) + " of " +
                                       std::to_string(event.tracks) + " of the fleet";
  return event.rail < 0 ? event.node : event.node + " rail " + std::to_string(event.rail);
}

std::string change_text(const HistoryEvent& event) {
  return event.metric + " " + signed_percent(event.change) + (event.worse ? ", worse" : ", better") +
         others_text(event.also);
}

std::string versions_text(const std::vector<VersionChange>& versions) {
  std::vector<std::string> parts;
  for (const auto& it : versions)
    parts.push_back(it.what + " " + it.before + " → " + it.after +
                    (it.nodes > 1 ? " (" + std::to_string(it.nodes) + " nodes)" : ""));
  return parts.empty() ? "nothing that the reports record" : join(parts, "; ");
}

std::string outlier_text(const Outlier& outlier) {
  return outlier.metric + " " + percent_text(1 - outlier.ratio) + " worse than the median of its " +
         std::to_string(outlier.peers) + " peers (z " + fixed(outlier.z, 0) + ")" +
         (outlier.suspect_slots > 1 ? ", slow in " + std::to_string(outlier.suspect_slots) + " recent runs"
                                    : "") +
         others_text(outlier.also);
}

std::string headline_text(const HistoryResult& result) {
  std::string text = std::to_string(result.runs) + (result.runs == 1 ? " run, " : " runs, ") +
                     std::to_string(result.tracks) + " series";
  if (result.tracks > 0) text += ", " + utc_day(result.first_s) + " to " + utc_day(result.last_s);
  return text;
}

std::string compared_text(const HistoryResult& result) {
  if (result.without_peers == 0) return "nothing is worse than before or than its peers";
  const std::string peers = std::to_string(least_peers) + " peers";
  if (result.without_peers < result.groups)
    return "nothing is worse than before or, where there are " + peers +
           ", than these: " + std::to_string(result.without_peers) + " of " + std::to_string(result.groups) +
           " kinds of series have fewer";
  return "nothing is worse than before; with fewer than " + peers + " nobody was compared with them";
}

bool concerns(const HistoryEvent& event, const Trend& trend) {
  if (event.stratum != trend.stratum) return false;
  const auto metric = [&] {
    if (event.metric == trend.metric) return true;
    return std::any_of(event.also.begin(), event.also.end(), [&](const std::string& other) {
      return other == trend.metric || other.starts_with(trend.metric + " rail ");
    });
  };
  if (event.node.empty()) return trend.node.empty() && metric();
  return event.node == trend.node && metric();
}

std::vector<std::size_t> trends_to_draw(const HistoryResult& result) {
  std::vector<std::size_t> eventful, quiet, tracks;
  for (std::size_t i = 0; i < result.trends.size(); ++i) {
    const Trend& trend = result.trends[i];
    const bool marked = std::any_of(result.events.begin(), result.events.end(),
                                    [&](const HistoryEvent& event) { return concerns(event, trend); });
    if (!trend.node.empty())
      tracks.push_back(i);
    else
      (marked ? eventful : quiet).push_back(i);
  }
  eventful.insert(eventful.end(), quiet.begin(), quiet.end());
  if (eventful.size() > most_drawn) eventful.resize(most_drawn);
  if (tracks.size() > most_drawn) tracks.resize(most_drawn);
  eventful.insert(eventful.end(), tracks.begin(), tracks.end());
  return eventful;
}

std::string to_text(const HistoryResult& result, const HistoryTextOptions& options) {
  const Style style{options.colour};
  std::string out = headline_text(result) + "\n";
  const auto more = [&](std::size_t count) {
    return count > most_listed ? "  and " + std::to_string(count - most_listed) + " more (--format json)\n"
                               : std::string();
  };
  if (!result.alarms.empty()) out += "\nfleet alarms: nobody's own fault\n";
  for (const auto& alarm : result.alarms)
    out += "  " + style.red("✗") + " " + utc_day(alarm.time_s) + "  " +
           printable(alarm.metric + ": " + alarm.why + others_text(alarm.also)) + "\n";
  if (!result.outliers.empty()) out += "\nslow beside their peers in the last run\n";
  for (std::size_t i = 0; i < result.outliers.size() && i < most_listed; ++i) {
    const Outlier& outlier = result.outliers[i];
    out += "  " + style.red("✗") + " " +
           printable(outlier.node + (outlier.rail < 0 ? "" : " rail " + std::to_string(outlier.rail))) +
           "  " + printable(outlier_text(outlier), 400) + "\n      next  mlc-bench burnin on that node\n";
  }
  out += more(result.outliers.size());
  if (!result.events.empty()) out += "\nchanges of level\n";
  for (std::size_t i = 0; i < result.events.size() && i < most_listed; ++i) {
    const HistoryEvent& event = result.events[i];
    const std::string mark = !event.worse   ? style.green("↑")
                             : event.recent ? style.red("✗")
                                            : style.yellow("↓");
    out += "  " + mark + " E" + std::to_string(i + 1) + "  " + utc_day(event.time_s) + "  " +
           printable(subject_of(event)) + "  " + printable(change_text(event), 400) +
           "\n      changed with it  " + printable(versions_text(event.versions), 600) + "\n";
  }
  out += more(result.events.size());
  if (!result.cuts.empty()) out += "\na past that ended, and is not compared with what came after\n";
  for (std::size_t i = 0; i < result.cuts.size() && i < most_listed; ++i)
    out += "  - " + utc_day(result.cuts[i].time_s) + "  " +
           printable(result.cuts[i].node + "  " + result.cuts[i].what, 400) + "\n";
  out += more(result.cuts.size());
  if (!result.left_out.empty()) out += "\nleft out\n";
  for (std::size_t i = 0; i < result.left_out.size() && i < most_listed; ++i)
    out += "  " + printable(result.left_out[i], 400) + "\n";
  out += more(result.left_out.size());
  const Decision decision = decide(result);
  out += "\n" +
         (decision == Decision::pass ? style.green("PASS") + "  " + compared_text(result)
          : decision == Decision::fail
              ? style.red("FAIL") + "  suspicions only: mlc-bench burnin decides about a node"
              : style.yellow("INCONCLUSIVE") + (result.runs == 0
                                                    ? "  no run could be read"
                                                    : "  one run, and nothing to compare it with")) +
         "\n";
  return out;
}

std::string to_json(const HistoryResult& result) {
  using Json = nlohmann::ordered_json;
  Json json{{"schema", history_schema},
            {"runs", result.runs},
            {"tracks", result.tracks},
            {"first", result.tracks > 0 ? Json(utc_text(result.first_s)) : Json(nullptr)},
            {"last", result.tracks > 0 ? Json(utc_text(result.last_s)) : Json(nullptr)},
            {"alarms", Json::array()},
            {"outliers", Json::array()},
            {"events", Json::array()},
            {"groups", result.groups},
            {"without_peers", result.without_peers},
            {"cuts", Json::array()},
            {"trends", Json::array()},
            {"left_out", result.left_out},
            {"verdict", {{"decision", to_string(decide(result))}}}};
  for (const auto& it : result.alarms)
    json["alarms"].push_back({{"time_s", it.time_s},
                              {"metric", it.metric},
                              {"unit", it.unit},
                              {"stratum", it.stratum},
                              {"why", it.why},
                              {"also", it.also}});
  for (const auto& it : result.outliers)
    json["outliers"].push_back({{"node", it.node},
                                {"rail", it.rail < 0 ? Json(nullptr) : Json(it.rail)},
                                {"metric", it.metric},
                                {"unit", it.unit},
                                {"stratum", it.stratum},
                                {"ratio", it.ratio},
                                {"z", it.z},
                                {"peers", it.peers},
                                {"suspect_slots", it.suspect_slots},
                                {"also", it.also}});
  for (const auto& it : result.events) {
    Json versions = Json::array();
    for (const auto& version : it.versions)
      versions.push_back({{"what", version.what},
                          {"before", version.before},
                          {"after", version.after},
                          {"nodes", version.nodes}});
    json["events"].push_back({{"time_s", it.time_s},
                              {"node", it.node.empty() ? Json(nullptr) : Json(it.node)},
                              {"rail", it.rail < 0 ? Json(nullptr) : Json(it.rail)},
                              {"members", it.members},
                              {"tracks", it.tracks},
                              {"metric", it.metric},
                              {"unit", it.unit},
                              {"stratum", it.stratum},
                              {"also", it.also},
                              {"change", it.change},
                              {"p", it.p},
                              {"worse", it.worse},
                              {"recent", it.recent},
                              {"versions", versions}});
  }
  for (const auto& it : result.cuts)
    json["cuts"].push_back({{"time_s", it.time_s}, {"node", it.node}, {"what", it.what}});
  for (const std::size_t i : trends_to_draw(result)) {
    const Trend& it = result.trends[i];
    Json trend{{"metric", it.metric},
               {"unit", it.unit},
               {"stratum", it.stratum},
               {"node", it.node.empty() ? Json(nullptr) : Json(it.node)},
               {"rail", it.rail < 0 ? Json(nullptr) : Json(it.rail)},
               {"tracks", it.tracks},
               {"time_s", it.time_s},
               {"value", it.value}};
    if (!it.low.empty()) trend["low"] = it.low, trend["high"] = it.high;
    json["trends"].push_back(std::move(trend));
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace mlc
