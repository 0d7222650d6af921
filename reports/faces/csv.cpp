#include "reports/faces/csv.hpp"

#include "reports/faces/rails_text.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

// Quoted where RFC 4180 asks for it. A leading = + - @ would be a formula to a spreadsheet: it gets a quote
// mark before it.
std::string field(const std::string& text) {
  std::string safe = printable(text, 1000);
  if (!safe.empty() && std::string_view("=+-@\t\r").find(safe.front()) != std::string_view::npos)
    safe.insert(0, "'");
  if (safe.find_first_of(",\"\r\n") == std::string::npos) return safe;
  std::string quoted = "\"";
  for (char c : safe) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

}  // namespace

std::string csv_header() {
  return "collective,dtype,redop,root,placement,requested_bytes,bytes,ranks,samples,time_min_us,time_p50_us,"
         "time_p95_us,time_p99_us,time_max_us,"
         "ci_low_us,ci_high_us,cv,algbw_gb_s,busbw_gb_s,wrong,stop,slowest_rank,slowest_node,slowest_excess,"
         "threshold_metric,threshold_bound,threshold_status\r\n";
}

std::string csv_line(const Series& s) {
  const std::vector<std::string> fields{s.collective,
                                        s.dtype,
                                        s.redop,
                                        s.root ? std::to_string(*s.root) : "",
                                        s.placement,
                                        std::to_string(s.requested_bytes),
                                        std::to_string(s.bytes),
                                        std::to_string(s.ranks),
                                        std::to_string(s.samples),
                                        shortest(s.time_us.min),
                                        shortest(s.time_us.p50),
                                        shortest(s.time_us.p95),
                                        shortest(s.time_us.p99),
                                        shortest(s.time_us.max),
                                        shortest(s.ci_us[0]),
                                        shortest(s.ci_us[1]),
                                        shortest(s.cv),
                                        shortest(s.algbw_gb_s),
                                        shortest(s.busbw_gb_s),
                                        s.wrong ? std::to_string(*s.wrong) : "",
                                        s.stop,
                                        s.slowest ? std::to_string(s.slowest->rank) : "",
                                        s.slowest ? s.slowest->node : "",
                                        s.slowest ? shortest(s.slowest->excess) : "",
                                        s.threshold ? s.threshold->metric : "",
                                        s.threshold ? shortest(s.threshold->bound) : "",
                                        s.threshold ? std::string(to_string(s.threshold->status)) : ""};
  return csv_fields(fields);
}

std::string csv_fields(const std::vector<std::string>& fields) {
  std::string line;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) line += ',';
    line += field(fields[i]);
  }
  return line + "\r\n";
}

std::string to_csv(const Report& report) {
  // Rails have columns of their own; no command measures both.
  if (report.series.empty() && !report.figures.rails.empty()) return rails_csv(report);
  std::string text = csv_header();
  for (const auto& series : report.series)
    text += csv_line(series);
  return text;
}

}  // namespace mlc
