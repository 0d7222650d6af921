#include "reports/faces/html.hpp"

#include <algorithm>
#include <map>

#include "reports/faces/face.hpp"
#include "reports/faces/html_frame.hpp"
#include "reports/faces/html_sections.hpp"
#include "reports/record/causes.hpp"
#include "reports/record/json.hpp"
#include "reports/record/reasons.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

std::string count_text(std::size_t count, std::string_view one, std::string_view many) {
  return std::to_string(count) + " " + std::string(count == 1 ? one : many);
}

std::string subtitle(const Report& report) {
  std::string text = report.environment.nodes.empty() ? "" : report.environment.nodes.front().name;
  if (report.environment.nodes.size() > 1)
    text += " and " + count_text(report.environment.nodes.size() - 1, "other node", "other nodes");
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : " · ") + part; };
  add(count_text(static_cast<std::size_t>(std::max(0, report.run.ranks)), "rank", "ranks"));
  if (!report.run.backend.empty()) add(report.run.backend);
  if (!report.run.policy.empty()) add("policy " + report.run.policy);
  if (!report.run.started.empty()) add(report.run.started);
  add(fixed(report.run.duration_s, 1) + " s");
  return text;
}

void write_verdict(HtmlWriter& html, const Report& report) {
  const std::string decision(to_string(report.verdict.decision));
  const Status mark = report.verdict.decision == Decision::pass   ? Status::pass
                      : report.verdict.decision == Decision::fail ? Status::fail
                                                                  : Status::unknown;
  html.open("header", {{"class", "verdict " + decision}});
  html.open("h1");
  html.open("span", {{"aria-hidden", "true"}}).text(status_mark(mark)).close();
  html.text(" " + decision).close();
  html.leaf("p", subtitle(report), {{"class", "subtitle"}});

  std::map<Status, std::size_t> counts;
  for (const auto& finding : report.findings)
    ++counts[finding.status];
  std::string line = count_text(report.series.size(), "series", "series");
  for (const auto& [status, count] : counts)
    line += " · " + std::to_string(count) + " " + std::string(to_string(status));
  if (!report.errors.empty()) line += " · " + count_text(report.errors.size(), "error", "errors");
  html.leaf("p", line, {{"class", "counts"}});

  const auto list = reasons(report);
  if (!list.empty()) {
    html.leaf("h2", "Why, and what to do");
    html.open("ol", {{"class", "reasons"}});
    for (const auto& reason : list) {
      html.open("li");
      if (reason.where.empty())
        html.leaf("span", reason.text, {{"class", "reason"}});
      else
        html.open("a", {{"class", "reason"}, {"href", "#" + reason.where}}).text(reason.text).close();
      if (!reason.remedy.empty()) html.leaf("span", reason.remedy, {{"class", "remedy"}});
      html.close();
    }
    html.close();
  }
  html.close();
}

void write_errors(HtmlWriter& html, const Report& report) {
  if (report.errors.empty()) return;
  html.open("section", {{"id", "errors"}}).leaf("h2", "What the tool could not do");
  for (std::size_t i = 0; i < report.errors.size(); ++i) {
    const ErrorEntry& error = report.errors[i];
    html.open("article", {{"class", "finding unknown"}, {"id", "error-" + std::to_string(i)}});
    html.leaf("h3", error.what);
    html.open("dl");
    const auto pair = [&](std::string_view name, const std::string& value) {
      if (!value.empty()) html.leaf("dt", name).leaf("dd", value);
    };
    pair("where", error.where);
    pair("while", error.phase);
    pair("next", error.hint);
    html.close().close();
  }
  html.close();
}

// The findings behind these numbers as a table, to be opened; beyond `most` they are counted: the record
// inside the page has them all.
void write_folded(HtmlWriter& html, const Report& report, const std::string& summary,
                  const std::vector<std::size_t>& members) {
  constexpr std::size_t most = 400;
  html.open("details").leaf("summary", summary);
  open_table(html, summary, {"status", "check", "subject", "observed", "expected", "from"});
  for (std::size_t k = 0; k < std::min(members.size(), most); ++k) {
    const Finding& finding = report.findings[members[k]];
    html.open("tr", {{"id", "finding-" + std::to_string(members[k])}});
    html.leaf("td", std::string(status_mark(finding.status)) + " " + std::string(to_string(finding.status)));
    for (const auto& cell :
         {finding.check, finding.subject, finding.observed, finding.expected, finding.source})
      html.leaf("td", cell, {{"class", "text"}});
    html.close();
  }
  close_table(html);
  if (members.size() > most) html.leaf("p", std::to_string(members.size() - most) + " more are in the JSON.");
  html.close();
}

void write_cause(HtmlWriter& html, const Report& report, const Cause& cause) {
  const Finding& finding = report.findings[cause.index];
  const std::string status(to_string(finding.status));
  html.open("article", {{"class", "finding " + status}, {"id", "finding-" + std::to_string(cause.index)}});
  html.open("h3");
  html.open("span", {{"class", "badge"}})
      .text(std::string(status_mark(finding.status)) + " " + status)
      .close();
  html.text(" " + finding.check);
  if (!finding.subject.empty()) html.text(" · " + finding.subject);
  html.close();
  html.open("dl");
  const auto pair = [&](std::string_view name, const std::string& value, std::string_view kind) {
    if (!value.empty()) html.leaf("dt", name).leaf("dd", value, {{"class", std::string(kind)}});
  };
  pair("next", finding.remedy, "remedy");
  pair("observed", finding.observed, "");
  pair("expected", finding.expected, "");
  pair("from", finding.source, "source");
  html.close();
  if (const auto more = waiting_text(report.findings, cause.waiting); !cause.waiting.empty())
    write_folded(html, report, more.empty() ? "the stage that it ended" : more, cause.waiting);
  html.close();
}

}  // namespace

// What is to be mended first, each with what waits for it; then by room what is in order.
void write_findings(HtmlWriter& html, const Report& report) {
  if (report.findings.empty()) return;
  html.open("section", {{"id", "findings"}}).leaf("h2", "Findings");
  for (const auto& cause : causes(report.findings))
    write_cause(html, report, cause);
  std::vector<std::pair<std::string, std::vector<std::size_t>>> rooms;
  for (std::size_t i = 0; i < report.findings.size(); ++i) {
    const Finding& finding = report.findings[i];
    if (finding.status != Status::pass && finding.status != Status::skip) continue;
    const std::string room = room_of(finding.check);
    auto found = std::ranges::find(rooms, room, &std::pair<std::string, std::vector<std::size_t>>::first);
    if (found == rooms.end()) found = rooms.insert(rooms.end(), {room, {}});
    found->second.push_back(i);
  }
  for (const auto& [room, members] : rooms) {
    const auto skipped = static_cast<std::size_t>(
        std::ranges::count(members, Status::skip, [&](std::size_t i) { return report.findings[i].status; }));
    const std::size_t passed = members.size() - skipped;
    std::vector<std::string> counts;
    if (passed > 0) counts.push_back(std::to_string(passed) + " passed");
    if (skipped > 0) counts.push_back(std::to_string(skipped) + " skipped");
    write_folded(html, report, (room.empty() ? "unnamed" : room) + ": " + join(counts, ", "), members);
  }
  html.close();
}

void write_environment(HtmlWriter& html, const Report& report) {
  html.open("section", {{"id", "environment"}}).leaf("h2", "Environment and policy");
  html.open("details").leaf("summary", "The run");
  open_table(html, "The run", {"what", "value"});
  const auto row = [&](std::string_view name, const std::string& value) {
    if (!value.empty())
      html.open("tr").leaf("th", name, {{"scope", "row"}}).leaf("td", value, {{"class", "text"}}).close();
  };
  row("run", report.run.id);
  row("command", join(report.run.command, " "));
  row("started", report.run.started);
  row("duration", fixed(report.run.duration_s, 1) + " s");
  row("ranks", std::to_string(report.run.ranks));
  row("nodes", std::to_string(report.run.nodes));
  row("backend", report.run.backend);
  row("policy", report.run.policy);
  row("mlc-bench", report.tool.version);
  for (const auto& [part, how] : report.tool.built)
    row("built with " + part, how);
  for (const auto& [name, value] : report.environment.variables)
    row(name, value);
  close_table(html).close();

  if (!report.environment.nodes.empty()) {
    html.open("details").leaf("summary", count_text(report.environment.nodes.size(), "node", "nodes"));
    open_table(html, "Nodes", {"node", "ranks", "kernel", "system", "processor", "versions", "GPUs"});
    for (const auto& node : report.environment.nodes) {
      html.open("tr").leaf("th", node.name, {{"scope", "row"}});
      html.leaf("td", rank_list(node.ranks)).leaf("td", node.kernel).leaf("td", node.os);
      html.leaf("td", node.cpu + (node.cpus > 0 ? " (" + std::to_string(node.cpus) + ")" : ""));
      std::vector<std::string> parts;
      for (const auto& [name, version] : node.versions)
        parts.push_back(name + " " + version);
      html.leaf("td", join(parts, ", "), {{"class", "text"}});
      // Eight alike GPUs are one line; a strange one among them stands out as a second.
      std::map<std::string, std::vector<int>> kinds;
      for (const auto& gpu : node.gpus)
        kinds[gpu.name + (gpu.driver.empty() ? "" : ", driver " + gpu.driver)].push_back(gpu.index);
      parts.clear();
      for (auto& [kind, indices] : kinds) {
        std::sort(indices.begin(), indices.end());
        parts.push_back(kind + " (" + rank_list(indices) + ")");
      }
      html.leaf("td", join(parts, "; "), {{"class", "text"}}).close();
    }
    close_table(html).close();
  }

  if (const auto& policy = report.figures.policy) {
    html.open("details").leaf("summary", "Policy " + policy->name);
    html.leaf("p", policy->about + (policy->source.empty() ? "" : " (" + policy->source + ")"));
    html.open("pre", {{"tabindex", "0"}, {"aria-label", "Policy text"}});
    std::string_view text = policy->text;
    while (!text.empty()) {  // line by line: the writer shows a newline as an escape everywhere else
      const std::size_t end = text.find('\n');
      html.text(text.substr(0, end)).trusted("\n");
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    html.close().close();
  }
  html.close();
}

std::string to_html(const Report& report, const PageAssets& assets) {
  HtmlWriter html;
  write_verdict(html, report);
  write_findings(html, report);
  write_errors(html, report);
  write_fleet(html, report);
  write_series(html, report);
  write_figures(html, report);
  write_environment(html, report);
  std::string title(to_string(report.verdict.decision));
  if (!report.environment.nodes.empty()) title += " · " + report.environment.nodes.front().name;
  title += " · mlc-bench";
  return framed(
      {.title = title, .kind = "report", .record_json = to_json(report), .file_name = "report.json"},
      std::move(html).take(), assets);
}

extern const Face html_face{
    .name = "html",
    .endings = {".html", ".htm"},
    .render = [](const Report& report, const Style&) { return to_html(report); },
};

}  // namespace mlc
