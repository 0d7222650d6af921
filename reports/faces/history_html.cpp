#include <cmath>

#include "reports/faces/history_faces.hpp"
#include "reports/faces/html_frame.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

constexpr std::size_t most_reasons = 12;
constexpr std::size_t most_rows = 1000;   // of a table; the record inside the page has all
constexpr std::size_t table_points = 30;  // the last readings, as a table

// The power of ten says all there is to say about so small a chance.
std::string chance_text(double p) {
  return p < 1e-15 ? "< 1e-15" : "1e" + fixed(std::ceil(std::log10(p)), 0);
}

std::string title_of(const Trend& trend) {
  std::string text = trend.node.empty()
                         ? "Median of " + std::to_string(trend.tracks) +
                               (trend.tracks == 1 ? " series" : " series with the 5th to 95th percentile")
                         : trend.node + (trend.rail < 0 ? "" : " rail " + std::to_string(trend.rail));
  return trend.metric + " · " + text + (trend.stratum.empty() ? "" : " · " + trend.stratum);
}

void write_trend(HtmlWriter& html, const HistoryResult& result, const Trend& trend, std::size_t number,
                 bool open) {
  std::vector<std::size_t> events;
  for (std::size_t i = 0; i < result.events.size() && events.size() < 20; ++i)
    if (concerns(result.events[i], trend)) events.push_back(i);
  html.open("details", {{"class", "sweep"}, {open || !events.empty() ? "open" : "", ""}})
      .leaf("summary", title_of(trend));
  open_figure(html, "trend-" + std::to_string(number), title_of(trend) + ", " + unit_text(trend.unit),
              "trend", "{\"trend\":" + std::to_string(number) + ",\"events\":" + index_list(events) + "}");
  html.open("details").leaf("summary", "Table: the last readings");
  if (trend.low.empty())
    open_table(html, title_of(trend), {"day", unit_text(trend.unit)});
  else
    open_table(html, title_of(trend),
               {"day", unit_text(trend.unit) + ", median", "5th percentile", "95th percentile"});
  const std::size_t count = trend.time_s.size();
  for (std::size_t i = count > table_points ? count - table_points : 0; i < count; ++i) {
    html.open("tr")
        .leaf("th", utc_day(trend.time_s[i]), {{"scope", "row"}})
        .leaf("td", fixed(trend.value[i], 2));
    if (!trend.low.empty()) html.leaf("td", fixed(trend.low[i], 2)).leaf("td", fixed(trend.high[i], 2));
    html.close();
  }
  close_table(html).close().close().close();
}

void more_note(HtmlWriter& html, std::size_t count) {
  if (count > most_rows) html.leaf("p", std::to_string(count - most_rows) + " more are in the JSON.");
}

void write_reasons(HtmlWriter& html, const HistoryResult& result) {
  html.leaf("h2", "What, and what to do").open("ol", {{"class", "reasons"}});
  std::size_t written = 0;
  const auto reason = [&](const std::string& text, const std::string& remedy) {
    if (written++ >= most_reasons) return;
    html.open("li")
        .leaf("span", text, {{"class", "reason"}})
        .leaf("span", remedy, {{"class", "remedy"}})
        .close();
  };
  for (const auto& alarm : result.alarms)
    reason(utc_day(alarm.time_s) + ": " + alarm.metric + ": " + alarm.why,
           "look at what all of them share: network, image, driver; take no single node out");
  for (const auto& outlier : result.outliers)
    reason(outlier.node + (outlier.rail < 0 ? "" : " rail " + std::to_string(outlier.rail)) + ": " +
               outlier_text(outlier),
           "run mlc-bench burnin on " + outlier.node);
  for (const auto& event : result.events)
    if (event.worse && event.recent)
      reason(utc_day(event.time_s) + ": " + subject_of(event) + ": " + change_text(event),
             event.versions.empty() ? "nothing recorded changed with it: run mlc-bench burnin"
                                    : "changed with it: " + versions_text(event.versions));
  html.close();
  if (written > most_reasons)
    html.leaf("p", std::to_string(written - most_reasons) + " more are in the tables below.");
}

void write_events(HtmlWriter& html, const HistoryResult& result) {
  html.open("section", {{"id", "events"}}).leaf("h2", "Changes of level");
  open_table(html, "Changes of level", {"event", "since", "who", "what", "changed with it", "p"});
  for (std::size_t i = 0; i < result.events.size() && i < most_rows; ++i) {
    const HistoryEvent& event = result.events[i];
    html.open("tr", {{event.worse && event.recent ? "class" : "", "fail"},
                     {"id", "event-" + std::to_string(i + 1)}});
    html.leaf("th", "E" + std::to_string(i + 1), {{"scope", "row"}})
        .leaf("td", utc_day(event.time_s))
        .leaf("td", subject_of(event), {{"class", "text"}});
    html.open("td", {{"class", "text"}})
        .leaf("span", change_text(event), {{"class", event.worse ? "worse" : "better"}})
        .close();
    html.leaf("td", versions_text(event.versions), {{"class", "text"}})
        .leaf("td", chance_text(event.p))
        .close();
  }
  close_table(html);
  more_note(html, result.events.size());
  html.close();
}

void write_outliers(HtmlWriter& html, const HistoryResult& result) {
  html.open("section", {{"id", "outliers"}}).leaf("h2", "Slow beside their peers in the last run");
  open_table(html, "Outliers",
             {"who", "metric", "of its peers", "z", "peers", "slow in recent runs", "also slow"});
  for (std::size_t i = 0; i < result.outliers.size() && i < most_rows; ++i) {
    const Outlier& outlier = result.outliers[i];
    html.open("tr", {{"class", "fail"}})
        .leaf("th", outlier.node + (outlier.rail < 0 ? "" : " rail " + std::to_string(outlier.rail)),
              {{"scope", "row"}});
    html.leaf("td", outlier.metric, {{"class", "text"}})
        .leaf("td", percent_text(outlier.ratio))
        .leaf("td", fixed(outlier.z, 1));
    html.leaf("td", std::to_string(outlier.peers)).leaf("td", std::to_string(outlier.suspect_slots));
    html.leaf("td", join(outlier.also, "; "), {{"class", "text"}}).close();
  }
  close_table(html);
  more_note(html, result.outliers.size());
  html.close();
}

void write_cuts(HtmlWriter& html, const HistoryResult& result) {
  html.open("section", {{"id", "cuts"}}).leaf("h2", "Repairs and other hardware");
  html.leaf("p", "What was measured before is not compared with what came after.", {{"class", "counts"}});
  open_table(html, "Repairs and other hardware", {"since", "who", "what"});
  for (std::size_t i = 0; i < result.cuts.size() && i < most_rows; ++i)
    html.open("tr")
        .leaf("th", utc_day(result.cuts[i].time_s), {{"scope", "row"}})
        .leaf("td", result.cuts[i].node, {{"class", "text"}})
        .leaf("td", result.cuts[i].what, {{"class", "text"}})
        .close();
  close_table(html);
  more_note(html, result.cuts.size());
  html.close();
}

void write_left_out(HtmlWriter& html, const HistoryResult& result) {
  html.open("section", {{"id", "left-out"}}).leaf("h2", "Left out");
  html.open("details", {{"open", ""}})
      .leaf("summary", std::to_string(result.left_out.size()) + " files that are no reports, or damaged")
      .open("ul");
  for (std::size_t i = 0; i < result.left_out.size() && i < most_rows; ++i)
    html.leaf("li", result.left_out[i]);
  html.close().close();
  more_note(html, result.left_out.size());
  html.close();
}

}  // namespace

std::string to_html(const HistoryResult& result, const PageAssets& assets) {
  HtmlWriter html;
  const Decision decision = decide(result);
  html.open("header", {{"class", "verdict " + std::string(to_string(decision))}});
  html.leaf("h1", decision == Decision::pass   ? "✓ steady"
                  : decision == Decision::fail ? "✗ something is worse"
                                               : "? nothing to judge");
  html.leaf("p", headline_text(result), {{"class", "subtitle"}});
  html.leaf("p", "A line here is a suspicion. mlc-bench burnin decides about a node.", {{"class", "counts"}});
  if (decision == Decision::pass) html.leaf("p", compared_text(result), {{"class", "counts"}});
  if (decision == Decision::fail) write_reasons(html, result);
  html.close();

  if (!result.events.empty()) write_events(html, result);
  if (!result.outliers.empty()) write_outliers(html, result);
  if (!result.cuts.empty()) write_cuts(html, result);

  const auto drawn = trends_to_draw(result);
  if (!drawn.empty()) {
    html.open("section", {{"id", "trends"}}).leaf("h2", "Trends");
    for (std::size_t i = 0; i < drawn.size(); ++i)
      write_trend(html, result, result.trends[drawn[i]], i, i < 4);
    html.close();
  }
  if (!result.left_out.empty()) write_left_out(html, result);
  return framed({.title = "History · mlc-bench",
                 .kind = "history",
                 .record_json = to_json(result),
                 .file_name = "history.json"},
                std::move(html).take(), assets);
}

}  // namespace mlc
