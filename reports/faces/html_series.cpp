#include <algorithm>
#include <map>
#include <tuple>

#include "reports/faces/html_frame.hpp"
#include "reports/faces/html_sections.hpp"
#include "reports/record/reasons.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

// A chart shows one of these over the sizes.
using SweepKey = std::tuple<std::string, std::string, std::string, std::string, std::string, std::string,
                            std::string, int, int, int>;

SweepKey sweep_of(const Series& series) {
  return {series.stage, series.backend,   series.timing, series.collective,        series.dtype,
          series.redop, series.placement, series.launch, series.root.value_or(-1), series.ranks};
}

std::string title_of(const Report& report, const Series& series) {
  std::string text = (series.stage.empty() ? "" : series.stage + ": ") + series.collective;
  const auto differs = [&](const Series& other) { return other.backend != series.backend; };
  if (std::ranges::any_of(report.series, differs)) text += " · " + series.backend;
  for (const auto& part : {series.dtype, series.redop})
    if (!part.empty()) text += " · " + part;
  text += series.placement == "in_place" ? " · in place" : " · out of place";
  if (series.root) text += " · root " + std::to_string(*series.root);
  text += " · " + std::to_string(series.ranks) + (series.ranks == 1 ? " rank" : " ranks");
  if (!series.timing.empty()) text += " · timed as " + series.timing;
  if (series.of_launches > 1)
    text += " · launch " + std::to_string(series.launch) + " of " + std::to_string(series.of_launches);
  return text;
}

bool is_open(const Series& series) {
  return series.wrong.value_or(0) > 0 || (series.threshold && series.threshold->status != Status::pass &&
                                          series.threshold->status != Status::skip);
}

std::string samples_text(const Series& series) {
  const std::string samples = std::to_string(series.samples);
  return series.launches.empty() ? samples
                                 : samples + " in " + std::to_string(series.launches.size()) + " launches";
}

std::string correct_text(const Series& series) {
  if (!series.wrong) return "not checked";
  if (*series.wrong == 0) return "yes";
  std::string text = std::to_string(*series.wrong) + " wrong";
  if (series.mismatch)
    text += ", first on rank " + std::to_string(series.mismatch->rank) + " (" + series.mismatch->node +
            ") at index " + std::to_string(series.mismatch->index) + ": " + series.mismatch->kind +
            ", expected " + series.mismatch->expected + ", got " + series.mismatch->actual;
  return text;
}

std::string threshold_text(const Judgement& judgement) {
  const bool at_least = judgement.metric == "busbw_gb_s";
  return std::string(status_mark(judgement.status)) + " " + std::string(to_string(judgement.status)) + ": " +
         (at_least ? "busbw ≥ " + fixed(judgement.bound, 2) + " GB/s"
                   : judgement.metric + " ≤ " + fixed(judgement.bound, 2));
}

// What a row says at length stands below it, as wide as the table.
std::vector<std::string> notes_of(const Series& series) {
  std::vector<std::string> notes;
  if (series.wrong.value_or(0) > 0) notes.push_back(correct_text(series));
  if (series.threshold && series.threshold->status != Status::pass && !series.threshold->why.empty())
    notes.push_back(series.threshold->why);
  notes.insert(notes.end(), series.warnings.begin(), series.warnings.end());
  return notes;
}

struct Column {
  std::string_view head;
  std::vector<std::string> cells;  // of each row
};

// Those that say something in at least one row; what decides comes first, the rest of the distribution after
// it.
std::vector<Column> sweep_columns(const Report& report, const std::vector<std::size_t>& members) {
  std::vector<Column> columns;
  const auto column = [&](std::string_view head, const auto& cell) {
    Column made{head, {}};
    for (const std::size_t i : members)
      made.cells.push_back(cell(report.series[i]));
    if (std::ranges::any_of(made.cells, [](const std::string& text) { return !text.empty(); }))
      columns.push_back(std::move(made));
  };
  column("p50", [](const Series& s) { return time_text(s.time_us.p50); });
  column("busbw GB/s", [](const Series& s) { return fixed(s.busbw_gb_s, 2); });
  if (const auto& link = report.figures.interconnect;
      link && link->target_gb_s > 0 && link->ceiling_gb_s > 0) {
    column("of target", [&](const Series& s) { return percent_text(s.busbw_gb_s / link->target_gb_s); });
    column("of MTU ceiling",
           [&](const Series& s) { return percent_text(s.busbw_gb_s / link->ceiling_gb_s); });
  }
  column("policy", [](const Series& s) { return s.threshold ? threshold_text(*s.threshold) : ""; });
  column("correct", [](const Series& s) {
    return !s.wrong ? "not checked" : *s.wrong == 0 ? "yes" : std::to_string(*s.wrong) + " wrong";
  });
  column("slowest", [](const Series& s) { return s.slowest ? slowest_text(*s.slowest) : ""; });
  column("95 % interval",
         [](const Series& s) { return time_text(s.ci_us[0]) + " – " + time_text(s.ci_us[1]); });
  column("p95", [](const Series& s) { return time_text(s.time_us.p95); });
  column("p99", [](const Series& s) { return time_text(s.time_us.p99); });
  column("algbw GB/s", [](const Series& s) { return fixed(s.algbw_gb_s, 2); });
  column("samples", samples_text);
  return columns;
}

void write_sweep_table(HtmlWriter& html, const Report& report, const std::vector<std::size_t>& members) {
  const auto columns = sweep_columns(report, members);
  std::vector<std::string_view> heads{"size"};
  for (const auto& column : columns)
    heads.push_back(column.head);
  open_table(html, title_of(report, report.series[members.front()]), heads);
  for (std::size_t row = 0; row < members.size(); ++row) {
    const Series& series = report.series[members[row]];
    const auto notes = notes_of(series);
    const std::string fail = is_open(series) ? "fail" : "", noted = notes.empty() ? "" : "noted";
    const std::string both = fail + (fail.empty() || noted.empty() ? "" : " ") + noted;
    html.open("tr", {{"id", "series-" + std::to_string(members[row])}, {both.empty() ? "" : "class", both}});
    html.leaf("th", bytes_text(series.bytes), {{"scope", "row"}});
    for (const auto& column : columns)
      html.leaf("td", column.cells[row]);
    html.close();
    if (!notes.empty())
      html.open("tr", {{"class", fail.empty() ? "remark" : "remark fail"}})
          .open("td", {{"colspan", std::to_string(heads.size())}})
          .leaf("span", join(notes, "; "))
          .close()
          .close();
  }
  close_table(html);
}

// Above this many ranks the page shows those that differ most; the record keeps all.
constexpr std::size_t most_ranks = 16;

// Ranks by their worst excess over the median rank, at any size.
std::vector<std::size_t> ranks_to_show(const Report& report, const std::vector<std::size_t>& members) {
  std::map<std::size_t, double> excess;
  for (const std::size_t i : members) {
    auto sorted = report.series[i].rank_p50_us;
    if (sorted.empty()) continue;
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
    std::nth_element(sorted.begin(), middle, sorted.end());
    if (!(*middle > 0)) continue;
    for (std::size_t rank = 0; rank < report.series[i].rank_p50_us.size(); ++rank) {
      const double over = report.series[i].rank_p50_us[rank] / *middle - 1;
      excess[rank] = std::max(excess.contains(rank) ? excess[rank] : over, over);
    }
  }
  std::vector<std::size_t> ranks;
  for (const auto& [rank, unused] : excess)
    ranks.push_back(rank);
  std::stable_sort(ranks.begin(), ranks.end(),
                   [&](std::size_t a, std::size_t b) { return excess[a] > excess[b]; });
  if (ranks.size() > most_ranks) ranks.resize(most_ranks);
  return ranks;
}

void write_ranks(HtmlWriter& html, const Report& report, const std::vector<std::size_t>& members,
                 const std::string& id) {
  auto ranks = ranks_to_show(report, members);
  if (ranks.size() < 2) return;
  std::size_t all = 0;
  for (const std::size_t i : members)
    all = std::max(all, report.series[i].rank_p50_us.size());
  std::string caption = "Median time of each rank over the median rank";
  if (all > ranks.size())
    caption += ": the " + std::to_string(ranks.size()) + " of " + std::to_string(all) + " that take longest";
  open_figure(html, id, caption, "ranks",
              "{\"series\":" + index_list(members) + ",\"ranks\":" + index_list(ranks) + "}");
  html.open("details").leaf("summary", "Table: median time of each rank");
  html.open("div", {{"class", "scroll"}, {"role", "group"}, {"tabindex", "0"}, {"aria-label", caption}});
  html.open("table").leaf("caption", caption).open("thead").open("tr").leaf("th", "rank", {{"scope", "col"}});
  for (const std::size_t i : members)
    html.leaf("th", bytes_text(report.series[i].bytes), {{"scope", "col"}});
  html.close().close().open("tbody");
  for (const std::size_t rank : ranks) {
    html.open("tr").leaf("th", std::to_string(rank), {{"scope", "row"}});
    for (const std::size_t i : members) {
      const auto& times = report.series[i].rank_p50_us;
      html.leaf("td", rank < times.size() ? time_text(times[rank]) : "");
    }
    html.close();
  }
  close_table(html).close().close();
}

}  // namespace

void write_series(HtmlWriter& html, const Report& report) {
  if (report.series.empty()) return;
  std::map<SweepKey, std::size_t> place;
  std::vector<std::vector<std::size_t>> sweeps;  // in the record's order
  for (std::size_t i = 0; i < report.series.size(); ++i) {
    const auto [found, fresh] = place.try_emplace(sweep_of(report.series[i]), sweeps.size());
    if (fresh) sweeps.emplace_back();
    sweeps[found->second].push_back(i);
  }
  const auto failed = [&](const std::vector<std::size_t>& members) {
    return std::any_of(members.begin(), members.end(),
                       [&](std::size_t i) { return is_open(report.series[i]); });
  };
  std::stable_sort(sweeps.begin(), sweeps.end(),
                   [&](const auto& a, const auto& b) { return failed(a) && !failed(b); });

  html.open("section", {{"id", "series"}}).leaf("h2", "Bandwidth against message size");
  for (std::size_t s = 0; s < sweeps.size(); ++s) {
    auto& members = sweeps[s];
    std::stable_sort(members.begin(), members.end(), [&](std::size_t a, std::size_t b) {
      return report.series[a].bytes < report.series[b].bytes;
    });
    const std::string title = title_of(report, report.series[members.front()]);
    // The first few and whatever failed are open; a sweep of everything does not bury its reader.
    const bool open = s < 4 || failed(members);
    html.open("details", {{"class", "sweep"}, {open ? "open" : "", ""}});
    html.leaf("summary", std::string(failed(members) ? "✗ " : "") + title);
    open_figure(html, "bandwidth-" + std::to_string(s), "Bus bandwidth by message size: " + title,
                "bandwidth", "{\"series\":" + index_list(members) + "}");
    write_sweep_table(html, report, members);
    html.close();
    write_ranks(html, report, members, "ranks-" + std::to_string(s));
    html.close();
  }
  html.close();
}

}  // namespace mlc
