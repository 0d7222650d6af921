#include "reports/faces/comparison_faces.hpp"
#include "reports/faces/html_frame.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

// More intervals than this are not read in a picture; the table has all that changed.
constexpr std::size_t most_drawn = 40;
// The worst reasons head the page. What is the same is listed up to a bound; the record inside the page has
// the rest.
constexpr std::size_t most_reasons = 12;
constexpr std::size_t most_same = 2000;

std::string word_class(Change change, bool series) {
  switch (change) {
    case Change::same:
      return "same";
    case Change::better:
      return series ? "faster" : "better";
    case Change::worse:
      return series ? "slower" : "worse";
    case Change::undecided:
      return "undecided";
  }
  return "undecided";
}

void write_series_rows(HtmlWriter& html, const std::vector<const SeriesChange*>& rows,
                       const std::string& caption) {
  open_table(html, caption, {"change", "series", "base → new", "slower by (95 %, all together)", "why"});
  for (const SeriesChange* change : rows) {
    html.open("tr", {{change->regression ? "class" : "", "fail"}});
    html.open("td")
        .leaf("span", series_word(change->change), {{"class", word_class(change->change, true)}})
        .close();
    html.leaf("th", change->name, {{"scope", "row"}})
        .leaf("td", medians_text(*change))
        .leaf("td", slowdown_text(*change));
    html.leaf("td", change->why, {{"class", "text"}}).close();
  }
  close_table(html);
}

void write_verdict(HtmlWriter& html, const Comparison& comparison) {
  const bool good = comparison.decision == Decision::pass, bad = comparison.decision == Decision::fail;
  html.open("header", {{"class", "verdict " + std::string(to_string(comparison.decision))}});
  html.leaf("h1", good ? "✓ no regression" : bad ? "✗ regression" : "? inconclusive");
  html.leaf("p", summary_text(comparison), {{"class", "subtitle"}});
  html.leaf("p",
            "tolerance " + percent_text(comparison.tolerance) + " · base " + comparison.base_run + " " +
                comparison.base_started + " · new " + comparison.next_run + " " + comparison.next_started,
            {{"class", "counts"}});
  if (!comparison.because.empty()) {
    html.leaf("h2", "Why").open("ol", {{"class", "reasons"}});
    for (std::size_t i = 0; i < comparison.because.size() && i < most_reasons; ++i)
      html.leaf("li", comparison.because[i]);
    html.close();
    if (comparison.because.size() > most_reasons)
      html.leaf("p", std::to_string(comparison.because.size() - most_reasons) +
                         " more reasons are in the tables below.");
  }
  html.close();
}

void write_differences(HtmlWriter& html, const Comparison& comparison) {
  if (comparison.differences.empty()) return;
  html.open("section", {{"id", "differences"}}).leaf("h2", "Not the same run twice");
  open_table(html, "What differs about the two runs", {"kind", "what", "base", "new"});
  for (const auto& it : comparison.differences) {
    html.open("tr").leaf("td", it.kind).leaf("th", it.what, {{"scope", "row"}});
    html.leaf("td", it.base, {{"class", "text"}}).leaf("td", it.next, {{"class", "text"}}).close();
  }
  close_table(html).close();
}

void write_series(HtmlWriter& html, const Comparison& comparison) {
  if (comparison.series.empty()) return;
  std::vector<const SeriesChange*> changed, same;
  std::vector<std::size_t> drawn;
  for (std::size_t i = 0; i < comparison.series.size(); ++i) {
    const SeriesChange& change = comparison.series[i];
    (change.change == Change::same && !change.may_regress ? same : changed).push_back(&change);
    if (change.slowdown && drawn.size() < most_drawn) drawn.push_back(i);
  }
  html.open("section", {{"id", "series"}}).leaf("h2", "Series");
  open_figure(html, "slowdown",
              "How much slower the new run is, with intervals; the band is the tolerance" +
                  std::string(drawn.size() < comparison.series.size()
                                  ? " (the worst " + std::to_string(drawn.size()) + ")"
                                  : ""),
              "slowdown", "{\"series\":" + index_list(drawn) + "}");
  if (!changed.empty()) write_series_rows(html, changed, "Series that changed or are undecided");
  html.close();
  if (!same.empty()) {
    html.open("details").leaf("summary", std::to_string(same.size()) + " the same");
    const std::size_t all = same.size();
    if (all > most_same) same.resize(most_same);
    write_series_rows(html, same, "Series that are the same");
    if (all > most_same) html.leaf("p", std::to_string(all - most_same) + " more are in the JSON.");
    html.close();
  }
  html.close();
}

void write_finding_rows(HtmlWriter& html, const Comparison& comparison, bool unchanged,
                        const std::string& caption) {
  open_table(html, caption,
             {"change", "check", "subject", "status", "observed before", "observed now", "next"});
  for (const auto& change : comparison.findings) {
    if ((change.change == Change::same) != unchanged) continue;
    html.open("tr", {{change.regression ? "class" : "", "fail"}});
    html.open("td")
        .leaf("span", finding_word(change.change), {{"class", word_class(change.change, false)}})
        .close();
    html.leaf("th", change.check, {{"scope", "row"}})
        .leaf("td", change.subject)
        .leaf("td", statuses_text(change));
    html.leaf("td", change.base_observed, {{"class", "text"}})
        .leaf("td", change.next_observed, {{"class", "text"}});
    html.leaf("td", change.remedy, {{"class", "text"}}).close();
  }
  close_table(html);
}

void write_findings(HtmlWriter& html, const Comparison& comparison) {
  if (comparison.findings.empty()) return;
  html.open("section", {{"id", "findings"}}).leaf("h2", "Findings");
  std::size_t quiet = 0;
  for (const auto& change : comparison.findings)
    quiet += change.change == Change::same;
  if (quiet < comparison.findings.size())
    write_finding_rows(html, comparison, false, "Findings that changed or are undecided");
  if (quiet > 0) {
    html.open("details").leaf("summary", std::to_string(quiet) + " the same");
    write_finding_rows(html, comparison, true, "Findings that are the same");
    html.close();
  }
  html.close();
}

}  // namespace

std::string to_html(const Comparison& comparison, const PageAssets& assets) {
  HtmlWriter html;
  write_verdict(html, comparison);
  write_differences(html, comparison);
  write_series(html, comparison);
  write_findings(html, comparison);
  return framed({.title = "Comparison · mlc-bench",
                 .kind = "comparison",
                 .record_json = to_json(comparison),
                 .file_name = "comparison.json"},
                std::move(html).take(), assets);
}

}  // namespace mlc
