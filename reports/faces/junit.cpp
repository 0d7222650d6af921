#include "reports/faces/junit.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "reports/faces/face.hpp"
#include "reports/faces/html_writer.hpp"
#include "reports/record/causes.hpp"
#include "reports/record/reasons.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

struct Case {
  std::string name;
  double time_s = 0;
  std::string kind;     // "", "failure", "error" or "skipped"
  std::string message;  // one line
  std::string text;     // the rest
};

Case case_of(const Finding& finding) {
  Case result{finding.check + (finding.subject.empty() ? "" : " " + finding.subject), 0, "", finding.observed,
              ""};
  if (finding.status == Status::fail) result.kind = "failure";
  if (finding.status == Status::unknown) result.kind = "error";
  if (finding.status == Status::skip) result.kind = "skipped";
  if (!finding.expected.empty()) result.message += ", expected " + finding.expected;
  if (finding.status == Status::warn) result.text = "warn: " + result.message + "; ";
  if (!finding.source.empty()) result.text += "from " + finding.source;
  if (!finding.remedy.empty()) result.text += (result.text.empty() ? "" : "; ") + ("next: " + finding.remedy);
  if (finding.status == Status::pass) result.text.clear();
  return result;
}

Case case_of(const Series& series) {
  Case result{series_name(series) + ", " + std::to_string(series.ranks) + " ranks",
              series.time_us.p50 * static_cast<double>(series.samples) / 1e6, "", "", ""};
  if (series.wrong.value_or(0) > 0) {
    result.kind = "failure";
    result.message = std::to_string(*series.wrong) + " wrong elements";
    if (series.mismatch)
      result.text = "first on rank " + std::to_string(series.mismatch->rank) + " (" + series.mismatch->node +
                    ") at index " + std::to_string(series.mismatch->index) + ": " + series.mismatch->kind +
                    ", expected " + series.mismatch->expected + ", got " + series.mismatch->actual;
  } else if (series.threshold && series.threshold->status == Status::fail) {
    result.kind = "failure";
    result.message = series.threshold->why;
    if (series.slowest) result.text = "slowest: " + slowest_text(*series.slowest);
  } else if (series.threshold && series.threshold->status == Status::unknown) {
    result.kind = "error";
    result.message = series.threshold->why;
  }
  return result;
}

void write_suite(HtmlWriter& xml, const std::string& name, const std::vector<Case>& cases,
                 const std::string& started) {
  const auto count = [&](std::string_view kind) {
    return std::to_string(
        std::count_if(cases.begin(), cases.end(), [&](const Case& it) { return it.kind == kind; }));
  };
  double time_s = 0;
  for (const auto& it : cases)
    time_s += it.time_s;
  // ISO 8601 without a zone, as the format's schema has it.
  const std::string stamp = started.substr(0, started.find('Z'));
  xml.open("testsuite", {{"name", name},
                         {"tests", std::to_string(cases.size())},
                         {"failures", count("failure")},
                         {"errors", count("error")},
                         {"skipped", count("skipped")},
                         {"time", fixed(time_s, 6)},
                         {stamp.empty() ? "" : "timestamp", stamp}});
  for (const auto& it : cases) {
    xml.open("testcase",
             {{"classname", "mlc-bench." + name}, {"name", it.name}, {"time", fixed(it.time_s, 6)}});
    if (!it.kind.empty())
      xml.leaf(it.kind, it.text, {{"message", it.message}});
    else if (!it.text.empty())
      xml.leaf("system-out", it.text);
    xml.close();
  }
  xml.close();
}

}  // namespace

std::string to_junit(const Report& report) {
  std::vector<std::pair<std::string, std::vector<Case>>> suites;
  std::map<std::string, std::size_t> place;
  const auto suite = [&](const std::string& name) -> std::vector<Case>& {
    const auto [found, fresh] = place.try_emplace(name, suites.size());
    if (fresh) suites.emplace_back(name, std::vector<Case>{});
    return suites[found->second].second;
  };
  std::set<std::size_t> waiting;
  for (const auto& cause : causes(report.findings))
    waiting.insert(cause.waiting.begin(), cause.waiting.end());
  for (std::size_t i = 0; i < report.findings.size(); ++i) {
    Case one = case_of(report.findings[i]);
    // The run is red for the cause; what could not be made without it was not run.
    if (waiting.contains(i) && report.findings[i].status == Status::unknown) one.kind = "skipped";
    suite(room_of(report.findings[i].check)).push_back(std::move(one));
  }
  for (const auto& series : report.series)
    suite("series").push_back(case_of(series));
  for (const auto& error : report.errors)
    suite("tool").push_back({error.what, 0, "error",
                             error.what + (error.phase.empty() ? "" : " (" + error.phase + ")"),
                             "where: " + error.where + "; next: " + error.hint});
  // What the findings and series do not show (a threshold never measured) still has to turn the run red.
  Case verdict{"verdict", 0, "", "", join(report.verdict.because, "; ")};
  if (report.verdict.decision == Decision::fail) verdict.kind = "failure";
  if (report.verdict.decision == Decision::inconclusive) verdict.kind = "error";
  if (!verdict.kind.empty())
    verdict.message = report.verdict.because.empty() ? std::string(to_string(report.verdict.decision))
                                                     : report.verdict.because.front();
  suite("verdict").push_back(verdict);

  std::vector<Case> all;
  for (const auto& [name, cases] : suites)
    all.insert(all.end(), cases.begin(), cases.end());
  const auto count = [&](std::string_view kind) {
    return std::to_string(
        std::count_if(all.begin(), all.end(), [&](const Case& it) { return it.kind == kind; }));
  };
  HtmlWriter xml;  // its escapes are XML's too, the single quote as a number; what XML 1.0 cannot write is
                   // shown as an escape
  xml.trusted("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
  xml.open("testsuites", {{"name", "mlc-bench"},
                          {"tests", std::to_string(all.size())},
                          {"failures", count("failure")},
                          {"errors", count("error")},
                          {"skipped", count("skipped")},
                          {"time", fixed(report.run.duration_s, 3)}});
  xml.trusted("\n");
  for (const auto& [name, cases] : suites)
    write_suite(xml, name, cases, report.run.started);
  return std::move(xml).take();
}

extern const Face junit_face{
    .name = "junit",
    .endings = {".xml"},
    .render = [](const Report& report, const Style&) { return to_junit(report); },
};

}  // namespace mlc
