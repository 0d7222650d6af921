#include "reports/faces/terminal.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "reports/faces/face.hpp"
#include "reports/faces/findings_text.hpp"
#include "reports/faces/gpu_text.hpp"
#include "reports/faces/rails_text.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

constexpr std::size_t size_width = 9, name_width = 9, place_width = 6, time_width = 11, band_width = 8,
                      count_width = 8;

std::string plural(std::size_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string threshold_cell(const Series& s, const Style& style) {
  if (!s.threshold) return "-";
  const bool time = s.threshold->metric == "time_us";
  const std::string asked =
      time ? "p50 <= " + time_text(s.threshold->bound) : "busbw >= " + fixed(s.threshold->bound, 2);
  switch (s.threshold->status) {
    case Status::pass:
      return style.green("✓ " + asked);
    case Status::fail:
      return style.red("✗ " + asked);
    default:
      return style.yellow("? " + asked);
  }
}

std::string correct_cell(const Series& s, const Style& style) {
  if (!s.wrong) return "not asked";
  return *s.wrong == 0 ? "yes" : style.red("NO");
}

// What a threshold that was judged quickly does not promise.
std::string quick_caveat(const Report& report, const Style& style) {
  double least_s = -1;
  for (const auto& s : report.series)
    if (s.threshold && s.observation && s.threshold->observe_s == 0)
      least_s = least_s < 0 ? s.observation->wall_s : std::min(least_s, s.observation->wall_s);
  if (least_s < 0) return "";
  return style.dim("      judged on " + time_text(least_s * 1e6) +
                   ": what heat, stalls or another launch would change later is not seen (--admission)") +
         "\n";
}

}  // namespace

std::string table_heading(const Run& run, const TableHead& head, const std::string& what,
                          const Style& style) {
  std::string text =
      style.bold(printable(head.collective)) + "   " + plural(static_cast<std::size_t>(run.ranks), "rank") +
      " · " + plural(static_cast<std::size_t>(run.nodes), "node") +
      (run.backend.empty() ? "" : " · " + printable(run.backend)) + " · " + printable(what) + "\n\n";
  std::string line = pad_left("size", size_width);
  if (head.several_dtypes) line += "  " + pad_right("dtype", name_width);
  if (head.several_redops) line += "  " + pad_right("redop", place_width);
  if (head.both_placements) line += "  " + pad_right("place", place_width);
  line += pad_left(head.means ? "time mean" : "time p50", time_width) + pad_left("p99", time_width) +
          pad_left("± p50", band_width) + pad_left("algbw", band_width) + pad_left("busbw", band_width) +
          pad_left("iters", count_width) + "  correct";
  if (head.judged) line += "    policy";
  return text + style.dim(line) + "\n";
}

std::string table_row(const Series& s, const TableHead& head, const Style& style) {
  std::string line = pad_left(bytes_text(s.bytes), size_width);
  if (head.several_dtypes) line += "  " + pad_right(printable(s.dtype), name_width);
  if (head.several_redops) line += "  " + pad_right(printable(s.redop), place_width);
  if (head.both_placements) line += "  " + pad_right(s.placement == "in_place" ? "in" : "out", place_width);
  const double half = s.time_us.p50 > 0 ? (s.ci_us[1] - s.ci_us[0]) / 2 / s.time_us.p50 : 0;
  line += pad_left(time_text(s.told_us()), time_width) + pad_left(time_text(s.time_us.p99), time_width) +
          pad_left(percent_text(half), band_width);
  line += pad_left(fixed(s.algbw_gb_s, 2), band_width) + pad_left(fixed(s.busbw_gb_s, 2), band_width) +
          pad_left(std::to_string(s.samples), count_width);
  line += "  " + (head.judged ? pad_right(correct_cell(s, style),
                                          9 + (s.wrong.value_or(0) > 0 && style.colour ? 9 : 0)) +
                                    "  " + threshold_cell(s, style)
                              : correct_cell(s, style));
  line += "\n";
  if (s.mismatch)
    line += style.red("            wrong: ") + std::to_string(s.wrong.value_or(0)) +
            (s.wrong.value_or(0) == 1 ? " element" : " elements") + ", first on rank " +
            std::to_string(s.mismatch->rank) + " (" + printable(s.mismatch->node, 80) + ") at index " +
            std::to_string(s.mismatch->index) + "\n                   expected " +
            printable(s.mismatch->expected) + ", got " + printable(s.mismatch->actual) + ": " +
            printable(s.mismatch->kind) + "\n";
  if (s.slowest)
    line += style.yellow("            slowest: ") + "rank " + std::to_string(s.slowest->rank) + " on " +
            printable(s.slowest->node, 80) + ", " + percent_text(s.slowest->excess) +
            " over the other ranks\n";
  if (s.tuning)
    line +=
        style.dim("            carried: " + printable(s.tuning->algorithm) + ", " +
                  printable(s.tuning->protocol) + ", " + std::to_string(s.tuning->channels) +
                  (s.tuning->channels == 1 ? " channel" : " channels") +
                  (s.tuning->wire_gb_s ? ", " + fixed(*s.tuning->wire_gb_s, 2) + " GB/s on the wire" : "")) +
        "\n";
  return line;
}

std::string table_ending(const Report& report, const TableHead& head, const Style& style) {
  std::string text;
  if (!report.series.empty()) {
    const std::size_t before = size_width + (head.several_dtypes ? name_width + 2 : 0) +
                               (head.several_redops ? place_width + 2 : 0) +
                               (head.both_placements ? place_width + 2 : 0);
    text += style.dim(std::string(before + 2 * time_width + band_width, ' ') + pad_left("GB/s", band_width) +
                      pad_left("GB/s", band_width)) +
            "\n";
  }
  std::size_t judged = 0;
  for (const auto& s : report.series)
    judged += s.threshold ? 1 : 0;
  const auto& because = report.verdict.because;
  switch (report.verdict.decision) {
    case Decision::pass: {
      const bool verified = std::all_of(report.series.begin(), report.series.end(),
                                        [](const Series& s) { return s.wrong.has_value(); });
      if (report.series.empty() && !report.figures.rails.empty()) {
        text += style.green("PASS") + "  " + rails_measured(report) + "\n";
        break;
      }
      text += style.green("PASS") + "  " + std::to_string(report.series.size()) + " series" +
              (verified ? ", every byte as it had to be" : ", not verified (-c 0)");
      if (judged > 0)
        text += "; " + plural(judged, "threshold") + " met";
      else if (!report.series.empty())
        text += "; policy " + report.run.policy + " asks for no bandwidth here";
      text += "\n" + quick_caveat(report, style);
      break;
    }
    case Decision::fail:
      text += style.red("FAIL") + "  ";
      break;
    case Decision::inconclusive:
      text += style.yellow("INCONCLUSIVE") + "  ";
      break;
  }
  if (report.verdict.decision != Decision::pass)
    for (std::size_t i = 0; i < because.size(); ++i)
      text += std::string(i == 0 ? 0 : (report.verdict.decision == Decision::fail ? 6 : 14), ' ') +
              printable(because[i], 400) + "\n";
  return text;
}

std::string to_text(const Report& report, const Style& style) {
  std::string text;
  // A burn-in's stages differ in their backends and ranks; what does is no row of one table.
  using Kind = std::tuple<std::string, std::string, int>;
  const auto kind_of = [&](const Series& s) {
    return s.backend.empty() ? Kind{s.collective, "", 0} : Kind{s.collective, s.backend, s.ranks};
  };
  std::vector<Kind> order;
  for (const auto& s : report.series)
    if (std::ranges::find(order, kind_of(s)) == order.end()) order.push_back(kind_of(s));
  TableHead head;
  for (const auto& kind : order) {
    const auto& [collective, backend, ranks] = kind;
    std::set<std::string> dtypes, redops, placements;
    std::size_t launches = 0;
    head = {.collective = collective};
    for (const auto& s : report.series)
      if (kind_of(s) == kind)
        dtypes.insert(s.dtype), redops.insert(s.redop), placements.insert(s.placement),
            head.judged = head.judged || s.threshold, head.means = head.means || !s.timing.empty(),
            launches = std::max(launches, s.launches.size());
    head.several_dtypes = dtypes.size() > 1, head.several_redops = redops.size() > 1,
    head.both_placements = placements.size() > 1;
    std::string what = dtypes.size() == 1 ? *dtypes.begin() : "several dtypes";
    if (redops.size() == 1 && !redops.begin()->empty()) what += " " + *redops.begin();
    if (placements.size() == 1) what += *placements.begin() == "in_place" ? " · in-place" : " · out-of-place";
    if (launches > 1) what += " · " + std::to_string(launches) + " launches";
    if (!backend.empty())
      what +=
          " · " + printable(backend, 40) + ", " + std::to_string(ranks) + (ranks == 1 ? " rank" : " ranks");
    text += (text.empty() ? "" : "\n") + table_heading(report.run, head, what, style);
    for (const auto& s : report.series)
      if (kind_of(s) == kind) text += table_row(s, head, style);
  }
  if (const auto rails = rails_text(report, style); !rails.empty())
    text += (text.empty() ? "" : "\n") + rails;
  text += table_ending(report, head, style);
  if (!report.figures.rails.empty()) text += rail_remedies(report, style);
  for (const auto& error : report.errors)
    text += error_text(error, style);
  return text;
}

std::string error_text(const ErrorEntry& error, const Style& style) {
  std::string text = style.red("error:") + " " + printable(error.what, 1000);
  if (!error.where.empty() && error.what.find(error.where) == std::string::npos)
    text += "\n  where: " + printable(error.where, 400);
  if (!error.phase.empty()) text += "\n  while: " + printable(error.phase, 400);
  if (!error.hint.empty()) text += "\n  hint:  " + printable(error.hint, 400);
  return text + "\n";
}

namespace {

// What findings say beside the tables, or alone. Those of rails stand below their table already.
std::string whole_text(const Report& report, const Style& style) {
  const bool tables = !report.series.empty() || !report.figures.rails.empty();
  if (report.findings.empty() || (tables && report.stages.empty())) return to_text(report, style);
  return (report.series.empty() ? "" : to_text(report, style) + "\n") + gpu_results_text(report, style) +
         findings_text(report, style);
}

}  // namespace

extern const Face text_face{
    .name = "text",
    .endings = {".txt"},
    .render = whole_text,
};

}  // namespace mlc
