#include "reports/faces/markdown.hpp"

#include <algorithm>
#include <map>

#include "reports/faces/face.hpp"
#include "reports/record/causes.hpp"
#include "reports/record/reasons.hpp"
#include "reports/record/text.hpp"

namespace mlc {

std::string markdown_text(std::string_view untrusted) {
  std::string safe;
  const std::string shown = printable(untrusted, std::string_view::npos);
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const char c = shown[i];
    switch (c) {
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '&':
        safe += "&amp;";
        break;
      // A mention or an address is recognised after the escapes are resolved: only a break inside it helps.
      case '@':
        safe += "@\u200b";
        break;
      case ':':
        safe += shown.compare(i, 3, "://") == 0 ? ":\u200b" : ":";
        break;
      case '\\':
      case '`':
      case '*':
      case '_':
      case '[':
      case ']':
      case '|':
      case '~':
      case '#':
      case '!':
      case '$':
        safe += '\\';
        safe += c;
        break;
      case '.':
        safe += '.';
        if (i >= 3 && (shown.compare(i - 3, 3, "www") == 0 || shown.compare(i - 3, 3, "WWW") == 0))
          safe += "\u200b";
        break;
      default:
        safe += c;
    }
  }
  // At the start of a line a list or a heading may begin.
  if (!safe.empty() && (safe.front() == '-' || safe.front() == '+' || safe.front() == '='))
    safe.insert(0, "\\");
  return safe;
}

std::string markdown_code(std::string_view untrusted) {
  std::string shown;
  std::size_t run = 0, longest = 0;
  for (const char c : printable(untrusted, std::string_view::npos)) {
    // A pipe ends a table's cell even inside a code span, and how it is escaped differs between readers.
    if (c == '|')
      shown += "\\x7c";
    else
      shown += c;
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  if (shown.empty()) return {};
  const std::string fence(longest + 1, '`');
  const bool pad = shown.front() == '`' || shown.back() == '`' || shown.front() == ' ' || shown.back() == ' ';
  return fence + (pad ? " " : "") + shown + (pad ? " " : "") + fence;
}

namespace {

// A comment on a pull request may have 65,536 characters.
constexpr std::size_t most_rows = 100;

std::string shout(std::string_view word) {
  std::string text(word);
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::string verdict_of(const Series& series) {
  if (series.wrong.value_or(0) > 0) return "✗ " + std::to_string(*series.wrong) + " wrong";
  if (!series.threshold) return "";
  const std::string mark = series.threshold->status == Status::pass   ? "✓"
                           : series.threshold->status == Status::fail ? "✗"
                                                                      : "?";
  return mark + " " + markdown_text(series.threshold->why);
}

}  // namespace

std::string to_markdown(const Report& report) {
  std::string out = "## " + shout(to_string(report.verdict.decision));
  if (!report.environment.nodes.empty()) out += " " + markdown_code(report.environment.nodes.front().name);
  if (report.environment.nodes.size() > 1)
    out += " and " + std::to_string(report.environment.nodes.size() - 1) + " more";
  out += "\n\n";
  out += std::to_string(report.run.ranks) + (report.run.ranks == 1 ? " rank" : " ranks");
  if (!report.run.backend.empty()) out += " · " + markdown_text(report.run.backend);
  if (!report.run.policy.empty()) out += " · policy " + markdown_code(report.run.policy);
  if (!report.run.started.empty()) out += " · " + markdown_text(report.run.started);
  out += "\n";

  const auto list = reasons(report);
  if (!list.empty()) out += "\n";
  for (std::size_t i = 0; i < list.size() && i < most_rows; ++i) {
    out += "1. **" + markdown_text(list[i].text) + "**";
    if (!list[i].remedy.empty()) out += "  \n   → " + markdown_text(list[i].remedy);
    out += "\n";
  }
  if (list.size() > most_rows)
    out += "\n" + std::to_string(list.size() - most_rows) + " more reasons are in the JSON.\n";

  if (!report.findings.empty()) {
    std::map<Status, std::size_t> counts;
    std::string rows;
    std::size_t written = 0, open = 0;
    for (const auto& finding : report.findings)
      ++counts[finding.status];
    for (const auto& [index, waiting] : causes(report.findings)) {
      const Finding& finding = report.findings[index];
      if (++open > most_rows) continue;
      ++written;
      const std::string more = waiting_text(report.findings, waiting);
      rows += "| " + std::string(to_string(finding.status)) + " | " + markdown_code(finding.check) + " | " +
              markdown_code(finding.subject) + " | " + markdown_code(finding.observed) + " | " +
              markdown_code(finding.expected) + " | " + markdown_text(finding.remedy) +
              (more.empty() ? "" : "<br>" + markdown_text(more)) + " |\n";
    }
    std::vector<std::string> parts;
    for (const auto& [status, count] : counts)
      parts.push_back(std::to_string(count) + " " + std::string(to_string(status)));
    out += "\n### Findings: " + join(parts, ", ") + "\n";
    if (!rows.empty())
      out +=
          "\n| status | check | subject | observed | expected | next |\n|---|---|---|---|---|---|\n" + rows;
    if (open > written) out += "\n" + std::to_string(open - written) + " more are in the JSON.\n";
  }

  if (!report.series.empty()) {
    out +=
        "\n### Series\n\n| series | p50 | 95 % interval | p99 | algbw GB/s | busbw GB/s | policy "
        "|\n|---|--:|--:|--:|--:|--:|---|\n";
    for (std::size_t i = 0; i < report.series.size() && i < most_rows; ++i) {
      const Series& series = report.series[i];
      const std::string stage = series.stage.empty() ? "" : series.stage + ": ";
      const std::string launch = series.of_launches > 1 ? ", launch " + std::to_string(series.launch) : "";
      out += "| " + markdown_code(stage + series_name(series) + launch) + " | " +
             time_text(series.time_us.p50) + " | " + time_text(series.ci_us[0]) + " – " +
             time_text(series.ci_us[1]) + " | " + time_text(series.time_us.p99) + " | " +
             fixed(series.algbw_gb_s, 2) + " | " + fixed(series.busbw_gb_s, 2) + " | " + verdict_of(series) +
             " |\n";
    }
    if (report.series.size() > most_rows)
      out += "\n" + std::to_string(report.series.size() - most_rows) + " more series are in the JSON.\n";
  }
  return out;
}

extern const Face markdown_face{
    .name = "markdown",
    .endings = {".md"},
    .render = [](const Report& report, const Style&) { return to_markdown(report); },
};

}  // namespace mlc
