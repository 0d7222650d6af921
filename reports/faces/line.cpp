#include "reports/faces/line.hpp"

#include <map>

#include "reports/faces/face.hpp"
#include "reports/record/causes.hpp"
#include "reports/record/text.hpp"

namespace mlc {

std::string line_text(const Report& report) {
  std::map<std::string, Status> checks;
  for (const auto& finding : report.findings) {
    const auto [entry, first] = checks.emplace(finding.check, finding.status);
    if (!first) entry->second = worst(entry->second, finding.status);
  }
  std::map<Status, std::size_t> counts;
  for (const auto& [check, status] : checks)
    ++counts[status];

  std::string text;
  const Finding* named = nullptr;  // the first cause
  if (report.verdict.decision == Decision::pass) {
    text = "OK " + (checks.empty() ? std::to_string(report.series.size()) + " series"
                                   : std::to_string(counts[Status::pass]) + " passed");
    if (counts[Status::warn] > 0) text += ", " + std::to_string(counts[Status::warn]) + " warned";
    if (counts[Status::unknown] > 0) text += ", " + std::to_string(counts[Status::unknown]) + " unknown";
  } else {
    const Status worst_status = counts[Status::fail] > 0 ? Status::fail : Status::unknown;
    text = (worst_status == Status::fail ? "FAIL " : "UNKNOWN ") + std::to_string(counts[worst_status]);
    if (const auto list = causes(report.findings);
        !list.empty() && report.findings[list.front().index].status == worst_status)
      named = &report.findings[list.front().index];
  }
  if (named)
    text += ": " + named->check + " " + observed_of(*named);
  else if (report.verdict.decision != Decision::pass && !report.verdict.because.empty())
    text += ": " + report.verdict.because.front();
  std::string line;
  for (const unsigned char c : text)
    line += c < 0x20 || c > 0x7e ? '?' : static_cast<char>(c);
  if (line.size() > line_limit) line = line.substr(0, line_limit - 3) + "...";
  return line;
}

extern const Face line_face{
    .name = "line",
    .endings = {},
    .render = [](const Report& report, const Style&) { return line_text(report) + "\n"; },
};

}  // namespace mlc
