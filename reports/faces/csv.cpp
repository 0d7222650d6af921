#include "reports/faces/csv.hpp"

#include <algorithm>

#include "reports/faces/face.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

// Quoted where RFC 4180 asks for it. A leading = + - @ would be a formula to a spreadsheet: it gets a quote
// mark before it. A number is none.
std::string field(const std::string& text) {
  std::string safe = printable(text, 1000);
  const bool number = safe.find_first_not_of("0123456789.e+-") == std::string::npos &&
                      safe.find_first_of("0123456789") != std::string::npos;
  if (!number && !safe.empty() && std::string_view("=+-@\t\r").find(safe.front()) != std::string_view::npos)
    safe.insert(0, "'");
  if (safe.find_first_of(",\"\r\n") == std::string::npos) return safe;
  std::string quoted = "\"";
  for (char c : safe) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

CsvRow observed(const Observation& o) {
  return {{"timed_s", csv_number(o.timed_s)},
          {"wall_s", csv_number(o.wall_s)},
          {"untimed", std::to_string(o.untimed)},
          {"wall_busbw_gb_s", csv_number(o.wall_busbw_gb_s)},
          {"longest_us", csv_number(o.longest_us)},
          {"correlation_s", csv_number(o.correlation_s)},
          {"block_s", csv_number(o.block_s)},
          {"blocks", std::to_string(o.blocks)},
          {"blocks_reached", std::to_string(o.blocks_reached)},
          {"slices", std::to_string(o.slices)},
          {"slices_reached", std::to_string(o.slices_reached)},
          {"end_share", csv_number(o.end_share)},
          {"drift", csv_number(o.drift)},
          {"drift_z", csv_number(o.drift_z)}};
}

// What not every series has; a part that is missing leaves its columns empty.
template <class Part>
void append(CsvRow& row, const std::optional<Part>& part, CsvRow (*columns)(const Part&)) {
  for (auto& [name, value] : columns(part.value_or(Part{})))
    row.emplace_back(name, part ? std::move(value) : "");
}

CsvRow series_row(const Run& run, const Series& s) {
  CsvRow row{{"collective", s.collective},
             {"dtype", s.dtype},
             {"redop", s.redop},
             {"root", csv_whole(s.root)},
             {"placement", s.placement},
             {"requested_bytes", std::to_string(s.requested_bytes)},
             {"bytes", std::to_string(s.bytes)},
             {"ranks", std::to_string(s.ranks)},
             {"samples", std::to_string(s.samples)},
             {"time_min_us", csv_number(s.time_us.min)},
             {"time_p50_us", csv_number(s.time_us.p50)},
             {"time_p95_us", csv_number(s.time_us.p95)},
             {"time_p99_us", csv_number(s.time_us.p99)},
             {"time_max_us", csv_number(s.time_us.max)},
             {"ci_low_us", csv_number(s.ci_us[0])},
             {"ci_high_us", csv_number(s.ci_us[1])},
             {"cv", csv_number(s.cv)},
             {"algbw_gb_s", csv_number(s.algbw_gb_s)},
             {"busbw_gb_s", csv_number(s.busbw_gb_s)},
             {"wrong", csv_whole(s.wrong)},
             {"stop", s.stop}};
  append<Slowest>(row, s.slowest, [](const Slowest& slowest) {
    return CsvRow{{"slowest_rank", std::to_string(slowest.rank)},
                  {"slowest_node", slowest.node},
                  {"slowest_excess", csv_number(slowest.excess)}};
  });
  append<Judgement>(row, s.threshold, [](const Judgement& threshold) {
    return CsvRow{{"threshold_metric", threshold.metric},
                  {"threshold_bound", csv_number(threshold.bound)},
                  {"threshold_status", std::string(to_string(threshold.status))}};
  });
  row.emplace_back("time_mean_us", s.time_us.mean > 0 ? csv_number(s.time_us.mean) : "");
  row.emplace_back("timing", s.timing);
  // Columns that came later stand behind those that were there.
  row.insert(row.end(), {{"run", run.id},
                         {"backend", s.backend.empty() ? run.backend : s.backend},
                         {"nodes", std::to_string(s.nodes > 0 ? s.nodes : run.nodes)},
                         {"stage", s.stage},
                         {"launch", s.launch > 0 ? std::to_string(s.launch) : ""},
                         {"launches", std::to_string(std::max<std::size_t>(s.launches.size(), 1))},
                         {"threshold_why", s.threshold ? s.threshold->why : ""},
                         {"threshold_doubt", s.threshold ? s.threshold->doubt : ""},
                         {"threshold_observe_s", s.threshold ? csv_number(s.threshold->observe_s) : ""}});
  append<Observation>(row, s.observation, observed);
  append<Mismatch>(row, s.mismatch, [](const Mismatch& wrong) {
    return CsvRow{{"wrong_rank", std::to_string(wrong.rank)},
                  {"wrong_node", wrong.node},
                  {"wrong_index", std::to_string(wrong.index)},
                  {"wrong_expected", wrong.expected},
                  {"wrong_actual", wrong.actual},
                  {"wrong_kind", wrong.kind}};
  });
  append<Tuning>(row, s.tuning, [](const Tuning& tuning) {
    return CsvRow{{"algorithm", tuning.algorithm},
                  {"protocol", tuning.protocol},
                  {"channels", std::to_string(tuning.channels)},
                  {"wire_gb_s", csv_number(tuning.wire_gb_s)}};
  });
  row.emplace_back("warnings", join(s.warnings, "; "));
  return row;
}

}  // namespace

std::string csv_names(const CsvRow& row) {
  std::string line;
  for (const auto& [name, value] : row)
    line += (line.empty() ? "" : ",") + std::string(name);
  return line + "\r\n";
}

std::string csv_values(const CsvRow& row) {
  std::string line;
  for (std::size_t i = 0; i < row.size(); ++i)
    line += (i == 0 ? "" : ",") + field(row[i].second);
  return line + "\r\n";
}

std::string csv_header() { return csv_names(series_row({}, {})); }
std::string csv_line(const Run& run, const Series& series) { return csv_values(series_row(run, series)); }

std::string csv_table(const Report& report, std::string_view name) {
  if (name.empty())
    name = !report.series.empty()          ? "series"
           : !report.figures.rails.empty() ? "rails"
           : report.findings.empty()       ? "series"
                                           : "findings";
  const CsvTable* found = find_csv_table(name);
  return found == nullptr ? "" : found->render(report);
}

std::string to_csv(const Report& report) { return csv_table(report, {}); }

extern const Face csv_face{
    .name = "csv",
    .endings = {".csv"},
    .render = [](const Report& report, const Style& style) { return csv_table(report, style.table); },
};

}  // namespace mlc
