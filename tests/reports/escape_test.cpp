// Nothing that a host, a policy or a report says may become markup, in any field of any face. The faces are
// rendered twice, once with harmless text in every field and once with hostile text: the markup must be the
// same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "reports/faces/comparison_faces.hpp"
#include "reports/faces/history_faces.hpp"
#include "reports/faces/html.hpp"
#include "reports/faces/html_writer.hpp"
#include "reports/faces/junit.hpp"
#include "reports/faces/markdown.hpp"
#include "reports/faces/terminal.hpp"
#include "reports/record/json.hpp"
#include "tests/reports/sample_report.hpp"

namespace mlc {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<std::string>& hostile_texts() {
  static const std::vector<std::string> texts{
      "<script>alert(1)</script>",
      "</script><script>alert(1)</script>",
      "<!--<script>",
      "]]><x/>",
      "\" onmouseover=\"alert(1)",
      "' onfocus='alert(1)' autofocus='",
      "a\nb\r\nc\td",
      std::string("nul\0bel\a esc\x1b[31m del\x7f", 22),
      "broken \xff\xfe\xc3 utf-8 \xed\xa0\x80",
      "not xml \xef\xbf\xbe \xef\xbf\xbf",
      "rtl \xe2\x80\xae override \xe2\x80\xa8 line",
      "&lt;b&gt; &amp; &#60;",
      "| a | b | ` `` ``` ~~~ * _ [x](javascript:alert(1)) ![y](http://evil.example/z.png)",
      "@everyone https://evil.example www.evil.example #1",
      "# heading\n- list\n1. list\n---",
      "{{constructor.constructor('alert(1)')()}} ${x} %s %n",
      std::string(5000, '<'),
      "",
  };
  return texts;
}

// Every tag of a page, attributes' names included, values and text left out.
std::string skeleton(const std::string& page) {
  std::string tags;
  for (std::size_t at = 0; (at = page.find('<', at)) != std::string::npos;) {
    std::size_t end = at + 1;
    bool quoted = false;
    for (; end < page.size() && (quoted || page[end] != '>'); ++end) {
      if (page[end] == '"') quoted = !quoted;
      if (!quoted || page[end] == '"') tags += page[end];
    }
    const std::string tag = page.substr(at, end - at);
    tags += '\n';
    at = end;
    // What is inside a script is text until its end tag, whatever it looks like.
    if (tag.starts_with("<script")) {
      at = page.find("</script", end);
      if (at == std::string::npos) return tags + "unfinished script";
    }
  }
  return tags;
}

std::string record_of(const std::string& page) {
  const std::string begin = "<script type=\"application/json\" id=\"record\">";
  const auto from = page.find(begin) + begin.size();
  return page.substr(from, page.find("</script>", from) - from);
}

void expect_no_controls(const std::string& text) {
  for (const char c : text)
    ASSERT_TRUE(c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f))
        << "byte " << static_cast<int>(c);
}

constexpr PageAssets no_assets{.style = "",
                               .script = "",
                               .script_sha256 = "",
                               .charts = "",
                               .charts_sha256 = "",
                               .why_no_charts = "charts are left out"};

// "x" where fields are joined or left out when empty; the empty text is checked by not crashing.
std::string harmless(const std::string& hostile) { return hostile.empty() ? "" : "x"; }

TEST(Escape, HtmlReport) {
  for (const auto& text : hostile_texts()) {
    const Report hostile = test::hostile_report(text);
    const std::string page = to_html(hostile, no_assets);
    EXPECT_EQ(skeleton(page), skeleton(to_html(test::hostile_report(harmless(text)), no_assets)))
        << text.substr(0, 60);
    expect_no_controls(page);
    EXPECT_EQ(nlohmann::json::parse(record_of(page)), nlohmann::json::parse(to_json(hostile)));
    EXPECT_EQ(record_of(page).find('<'), std::string::npos);
  }
}

TEST(Escape, HtmlSkeletonSeesAnInjection) {
  // The check itself must be able to fail.
  const std::string page = to_html(test::hostile_report("x"), no_assets);
  std::string bad = page;
  bad.replace(bad.find("x · x"), 1, "<b>");
  EXPECT_NE(skeleton(bad), skeleton(page));
}

TEST(Escape, Junit) {
  for (const auto& text : hostile_texts()) {
    const std::string xml = to_junit(test::hostile_report(text));
    EXPECT_EQ(skeleton(xml), skeleton(to_junit(test::hostile_report(harmless(text))))) << text.substr(0, 60);
    expect_no_controls(xml);
    EXPECT_EQ(xml.find("\xef\xbf\xbe"), std::string::npos);
    EXPECT_EQ(xml.find("\xef\xbf\xbf"), std::string::npos);
  }
}

// Lines, and unescaped pipes in each: a table's shape.
std::vector<std::ptrdiff_t> table_shape(const std::string& markdown) {
  std::vector<std::ptrdiff_t> shape;
  std::ptrdiff_t pipes = 0;
  for (std::size_t i = 0; i < markdown.size(); ++i) {
    if (markdown[i] == '\n') shape.push_back(pipes), pipes = 0;
    if (markdown[i] == '|' && (i == 0 || markdown[i - 1] != '\\')) ++pipes;
  }
  return shape;
}

TEST(Escape, Markdown) {
  for (const auto& text : hostile_texts()) {
    if (text.empty()) continue;
    const std::string markdown = to_markdown(test::hostile_report(text));
    EXPECT_EQ(table_shape(markdown), table_shape(to_markdown(test::hostile_report("x"))))
        << text.substr(0, 60);
    expect_no_controls(markdown);
  }
}

TEST(Escape, MarkdownText) {
  EXPECT_EQ(markdown_text("<b>&"), "&lt;b&gt;&amp;");
  EXPECT_EQ(markdown_text("*a* _b_ `c` [d](e)|f"), "\\*a\\* \\_b\\_ \\`c\\` \\[d\\](e)\\|f");
  EXPECT_THAT(markdown_text("@everyone"), Not(HasSubstr("@e")));
  EXPECT_THAT(markdown_text("http://x www.x"), Not(HasSubstr("://x")));
  EXPECT_THAT(markdown_text("http://x www.x"), Not(HasSubstr("www.x")));
  EXPECT_EQ(markdown_text("a\nb"), "a\\\\nb");
  EXPECT_EQ(markdown_text("- a"), "\\- a");
}

TEST(Escape, MarkdownCode) {
  EXPECT_EQ(markdown_code("a"), "`a`");
  EXPECT_EQ(markdown_code(""), "");
  EXPECT_EQ(markdown_code("a`b"), "``a`b``");
  EXPECT_EQ(markdown_code("`a"), "`` `a ``");
  EXPECT_EQ(markdown_code("``"), "``` `` ```");
  EXPECT_EQ(markdown_code("a|b"), "`a\\x7cb`");
  EXPECT_EQ(markdown_code("a\nb"), "`a\\nb`");
}

TEST(Escape, Comparison) {
  for (const auto& text : hostile_texts()) {
    Report base = test::hostile_report(text);
    const Report next = base;
    base.tool.version = "0" + text;
    base.figures.policy->text = "other";
    base.findings[0].subject += "gone";
    const Comparison comparison = compare(base, next);
    Report plain_base = test::hostile_report(harmless(text));
    const Report plain_next = plain_base;
    plain_base.tool.version = "0" + harmless(text);
    plain_base.figures.policy->text = "other";
    plain_base.findings[0].subject += "gone";
    const Comparison plain = compare(plain_base, plain_next);
    EXPECT_EQ(skeleton(to_html(comparison, no_assets)), skeleton(to_html(plain, no_assets)))
        << text.substr(0, 60);
    expect_no_controls(to_html(comparison, no_assets));
    expect_no_controls(to_text(comparison));
    expect_no_controls(to_markdown(comparison));
    if (!text.empty()) {
      EXPECT_EQ(table_shape(to_markdown(comparison)), table_shape(to_markdown(plain))) << text.substr(0, 60);
    }
    EXPECT_TRUE(nlohmann::json::accept(to_json(comparison)));
  }
}

HistoryResult history_with(const std::string& text) {
  HistoryResult result;
  result.runs = 3, result.tracks = 2, result.last_s = 86400 * 3;
  result.alarms = {{text, "gb_s", text, text, {text}, 0}};
  result.events = {{.metric = text,
                    .unit = "gb_s",
                    .stratum = text,
                    .node = text,
                    .rail = 1,
                    .members = {text},
                    .tracks = 2,
                    .also = {text},
                    .time_s = 0,
                    .change = -0.1,
                    .p = 1e-9,
                    .worse = true,
                    .recent = true,
                    .versions = {{text, text, text, 2}}}};
  result.outliers = {{text, "gb_s", text, text, 0, 0.5, -9, 20, {text}, 3}};
  result.trends = {{text, "gb_s", text, "", -1, 2, {0, 86400}, {1, 2}, {1, 2}, {1, 2}},
                   {text, "gb_s", text, text, 1, 1, {0, 86400}, {1, 2}, {}, {}}};
  result.left_out = {text + ": " + text};
  return result;
}

TEST(Escape, History) {
  for (const auto& text : hostile_texts()) {
    if (text.empty()) continue;
    const std::string page = to_html(history_with(text), no_assets);
    EXPECT_EQ(skeleton(page), skeleton(to_html(history_with("x"), no_assets))) << text.substr(0, 60);
    expect_no_controls(page);
    expect_no_controls(to_text(history_with(text)));
    EXPECT_TRUE(nlohmann::json::accept(to_json(history_with(text))));
  }
}

TEST(Escape, Terminal) {
  for (const auto& text : hostile_texts()) {
    const Report report = test::hostile_report(text);
    expect_no_controls(to_text(report, Style{}));
  }
}

TEST(Escape, JsonForScriptKeepsTheValue) {
  for (const auto& text : hostile_texts()) {
    nlohmann::json json{{text + "k", text}, {"list", {1, 2.5, nullptr, true}}};
    const std::string dumped = json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
    const std::string safe = json_for_script(dumped);
    EXPECT_EQ(nlohmann::json::parse(safe), nlohmann::json::parse(dumped));
    EXPECT_THAT(safe, Not(HasSubstr("<")));
    EXPECT_THAT(safe, Not(HasSubstr("\n")));
  }
  EXPECT_EQ(json_for_script("{\"a b\": \"c \\\" d\\\\\", \"e\" : 1}"), "{\"a b\":\"c \\\" d\\\\\",\"e\":1}");
}

TEST(Page, AllowsOnlyItsOwnScripts) {
  const PageAssets assets{.style = "",
                          .script = "one",
                          .script_sha256 = "SCRIPT",
                          .charts = "two",
                          .charts_sha256 = "CHARTS",
                          .why_no_charts = ""};
  const std::string page = to_html(test::healthy_report(), assets);
  EXPECT_THAT(
      page,
      HasSubstr("default-src &#39;none&#39;; script-src &#39;sha256-SCRIPT&#39; &#39;sha256-CHARTS&#39;;"));
  EXPECT_THAT(page, Not(HasSubstr("no-charts")));
  const std::string tables = to_html(test::healthy_report(), no_assets);
  EXPECT_THAT(tables, HasSubstr("Tables only: charts are left out."));
}

}  // namespace
}  // namespace mlc
