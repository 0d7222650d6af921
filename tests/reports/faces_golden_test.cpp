#include <gtest/gtest.h>

#include "reports/faces/comparison_faces.hpp"
#include "reports/faces/history_faces.hpp"
#include "reports/faces/html.hpp"
#include "reports/faces/junit.hpp"
#include "reports/faces/markdown.hpp"
#include "reports/record/json.hpp"
#include "tests/reports/sample_history.hpp"
#include "tests/reports/sample_report.hpp"
#include "tests/unit/golden.hpp"

namespace mlc {
namespace {

// The page without what is the same on every page.
constexpr PageAssets bare{.style = "/* style */",
                          .script = "/* script */",
                          .script_sha256 = "SCRIPT",
                          .charts = "/* charts */",
                          .charts_sha256 = "CHARTS",
                          .why_no_charts = ""};

Comparison sample_comparison() {
  Report base = test::rails_in_launches(test::healthy_report()),
         next = test::rails_in_launches(test::sick_report());
  next.run.id = "gpu-a-20260106T030000Z-77aa";
  next.run.started = "2026-01-06T03:00:00Z";
  next.tool.version = "0.2.0";
  next.environment.nodes[0].versions["driver"] = "580.95.05";
  next.series[3].samples = 4;       // too few for an interval
  next.series[4].launches.clear();  // one launch
  base.series.pop_back();
  base.findings.push_back(
      {"host.hugepages", "node", Status::pass, "2048", "at least 1024", "/proc/meminfo", ""});
  return compare(base, next);
}

TEST(Golden, ReportHtml) { expect_golden("reports/report.html", to_html(test::sick_report(), bare)); }
TEST(Golden, ReportMarkdown) { expect_golden("reports/report.md", to_markdown(test::sick_report())); }
TEST(Golden, ReportJunit) { expect_golden("reports/report.xml", to_junit(test::sick_report())); }
TEST(Golden, ComparisonText) { expect_golden("reports/comparison.txt", to_text(sample_comparison())); }
TEST(Golden, ComparisonMarkdown) { expect_golden("reports/comparison.md", to_markdown(sample_comparison())); }
TEST(Golden, ComparisonHtml) { expect_golden("reports/comparison.html", to_html(sample_comparison(), bare)); }
TEST(Golden, ComparisonJson) { expect_golden("reports/comparison.json", to_json(sample_comparison())); }

HistoryResult sample_history() {
  HistoryResult result = analyse(test::fleet_history(test::eventful_fleet()));
  result.left_out = {"reports/old.json: not a report: 'schema' is not mlc-bench/report/v1"};
  return result;
}

TEST(Golden, HistoryText) { expect_golden("reports/history.txt", to_text(sample_history())); }
TEST(Golden, HistoryHtml) { expect_golden("reports/history.html", to_html(sample_history(), bare)); }

}  // namespace
}  // namespace mlc
