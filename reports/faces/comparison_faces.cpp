#include "reports/faces/comparison_faces.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "reports/faces/markdown.hpp"
#include "reports/record/style.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

std::string value_text(const std::optional<double>& value, const std::string& metric) {
  if (!value) return "–";
  return metric == "gbit_s" ? fixed(*value, 2) + " Gbit/s" : time_text(*value);
}

std::string signed_percent(double ratio) { return (ratio >= 1 ? "+" : "") + percent_text(ratio - 1); }

std::string status_text(const std::optional<Status>& status) {
  return status ? std::string(to_string(*status)) : "absent";
}

}  // namespace

std::string medians_text(const SeriesChange& change) {
  return value_text(change.base, change.metric) + " → " + value_text(change.next, change.metric);
}

std::string slowdown_text(const SeriesChange& change) {
  if (!change.slowdown) return "–";
  return signed_percent(*change.slowdown) + " (" + signed_percent(change.slowdown_ci[0]) + " to " +
         signed_percent(change.slowdown_ci[1]) + ")";
}

std::string statuses_text(const FindingChange& change) {
  return status_text(change.base) + " → " + status_text(change.next);
}

std::string summary_text(const Comparison& comparison) {
  const auto line = [](std::size_t count, const std::string& what,
                       const std::map<Change, std::size_t>& counts, std::string_view (*word)(Change)) {
    std::vector<std::string> parts;
    for (const auto& [change, number] : counts)
      parts.push_back(std::to_string(number) + " " + std::string(word(change)));
    return std::to_string(count) + " " + what + (parts.empty() ? "" : ": " + join(parts, ", "));
  };
  std::map<Change, std::size_t> series, findings;
  for (const auto& change : comparison.series)
    ++series[change.change];
  for (const auto& change : comparison.findings)
    ++findings[change.change];
  return line(comparison.series.size(), "series", series, series_word) + " · " +
         line(comparison.findings.size(), comparison.findings.size() == 1 ? "finding" : "findings", findings,
              finding_word);
}

std::string to_text(const Comparison& comparison, const ComparisonTextOptions& options) {
  const auto paint = [&](Change change, const std::string& text) {
    const Style style{options.colour};
    switch (change) {
      case Change::worse:
        return style.red(text);
      case Change::better:
        return style.green(text);
      case Change::undecided:
        return style.yellow(text);
      case Change::same:
        return text;
    }
    return text;
  };
  std::string out = "base  " + printable(comparison.base_run) + "  " + printable(comparison.base_started) +
                    "\n" + "new   " + printable(comparison.next_run) + "  " +
                    printable(comparison.next_started) + "\n";
  if (!comparison.differences.empty()) {
    out += "\nnot the same run twice:\n";
    for (const auto& it : comparison.differences)
      out += "  " + pad_right(it.kind, 10) + printable(it.what) + ": " + printable(it.base) + " → " +
             printable(it.next) + "\n";
  }
  std::size_t hidden = 0;
  std::vector<std::array<std::string, 3>> rows;
  std::vector<const SeriesChange*> shown;
  std::array<std::size_t, 3> width{};
  for (const auto& change : comparison.series) {
    if (change.change == Change::same && !change.may_regress && !options.all) {
      ++hidden;
      continue;
    }
    shown.push_back(&change);
    rows.push_back({printable(change.name), medians_text(change), slowdown_text(change)});
    for (std::size_t i = 0; i < 3; ++i)
      width[i] = std::max(width[i], columns(rows.back()[i]));
  }
  if (!rows.empty()) out += "\n";
  for (std::size_t r = 0; r < rows.size(); ++r)
    out += "  " + paint(shown[r]->change, pad_right(series_word(shown[r]->change), 10)) +
           pad_right(rows[r][0], width[0] + 2) + pad_left(rows[r][1], width[1]) + "  " +
           pad_left(rows[r][2], width[2]) + (shown[r]->why.empty() ? "" : "  " + printable(shown[r]->why)) +
           "\n";
  bool first = true;
  for (const auto& change : comparison.findings) {
    if (change.change == Change::same && !options.all) {
      ++hidden;
      continue;
    }
    if (first) out += "\n";
    first = false;
    out += "  " + paint(change.change, pad_right(finding_word(change.change), 10)) + printable(change.check) +
           " " + printable(change.subject) + "  " + statuses_text(change) + "  " +
           printable(change.next_observed) + "\n";
    if (change.regression && !change.remedy.empty())
      out += "            next  " + printable(change.remedy) + "\n";
  }
  if (hidden > 0) out += "\n  " + std::to_string(hidden) + " the same, not listed (--all lists them)\n";
  std::string word = comparison.decision == Decision::pass   ? "PASS"
                     : comparison.decision == Decision::fail ? "FAIL"
                                                             : "INCONCLUSIVE";
  const Change colour = comparison.decision == Decision::pass   ? Change::better
                        : comparison.decision == Decision::fail ? Change::worse
                                                                : Change::undecided;
  out += "\n" + paint(colour, word) + "  " + summary_text(comparison) + "  (tolerance " +
         percent_text(comparison.tolerance) + ")\n";
  // Each is a row above already: the head of the list says where to begin.
  constexpr std::size_t most_reasons = 5;
  for (std::size_t i = 0; i < comparison.because.size() && i < most_reasons; ++i)
    out += "  " + printable(comparison.because[i]) + "\n";
  if (comparison.because.size() > most_reasons)
    out += "  and " + std::to_string(comparison.because.size() - most_reasons) + " more\n";
  return out;
}

std::string to_json(const Comparison& comparison) {
  using Json = nlohmann::ordered_json;
  const auto number = [](const std::optional<double>& value) {
    return value && std::isfinite(*value) ? Json(*value) : Json(nullptr);
  };
  const auto pair = [&](const std::array<double, 2>& values) {
    return Json{number(values[0]), number(values[1])};
  };
  const auto status = [](const std::optional<Status>& value) {
    return value ? Json(to_string(*value)) : Json(nullptr);
  };
  Json json{{"schema", comparison_schema},
            {"base",
             {{"run", comparison.base_run},
              {"started", comparison.base_started},
              {"decision", to_string(comparison.base_decision)}}},
            {"new",
             {{"run", comparison.next_run},
              {"started", comparison.next_started},
              {"decision", to_string(comparison.next_decision)}}},
            {"tolerance", comparison.tolerance},
            {"differences", Json::array()},
            {"series", Json::array()},
            {"findings", Json::array()},
            {"verdict", {{"decision", to_string(comparison.decision)}, {"because", comparison.because}}}};
  for (const auto& it : comparison.differences)
    json["differences"].push_back(
        {{"kind", it.kind}, {"what", it.what}, {"base", it.base}, {"new", it.next}});
  for (const auto& it : comparison.series)
    json["series"].push_back({{"name", it.name},
                              {"metric", it.metric},
                              {"change", series_word(it.change)},
                              {"regression", it.regression},
                              {"may_regress", it.may_regress},
                              {"base", number(it.base)},
                              {"base_ci", pair(it.base_ci)},
                              {"base_launches", it.base_launches},
                              {"new", number(it.next)},
                              {"new_ci", pair(it.next_ci)},
                              {"new_launches", it.next_launches},
                              {"slowdown", number(it.slowdown)},
                              {"slowdown_ci", it.slowdown ? pair(it.slowdown_ci) : Json(nullptr)},
                              {"why", it.why}});
  for (const auto& it : comparison.findings)
    json["findings"].push_back({{"check", it.check},
                                {"subject", it.subject},
                                {"change", finding_word(it.change)},
                                {"regression", it.regression},
                                {"may_regress", it.may_regress},
                                {"base", status(it.base)},
                                {"new", status(it.next)},
                                {"base_observed", it.base_observed},
                                {"new_observed", it.next_observed},
                                {"remedy", it.remedy}});
  // A broken UTF-8 sequence in a field must not cost the whole answer.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string to_markdown(const Comparison& comparison) {
  // A comment on a pull request may have 65,536 characters.
  constexpr std::size_t most_rows = 100;
  const std::string word = comparison.decision == Decision::pass   ? "✓ No regression"
                           : comparison.decision == Decision::fail ? "✗ Regression"
                                                                   : "? Inconclusive";
  std::string out = "## " + word + "\n\n" + summary_text(comparison) + " · tolerance " +
                    percent_text(comparison.tolerance) + "\n\n";
  out += "base " + markdown_code(comparison.base_run) + ", new " + markdown_code(comparison.next_run) + "\n";
  if (!comparison.differences.empty()) {
    out += "\n**Not the same run twice:**\n\n| | what | base | new |\n|---|---|---|---|\n";
    for (const auto& it : comparison.differences)
      out += "| " + it.kind + " | " + markdown_code(it.what) + " | " + markdown_code(it.base) + " | " +
             markdown_code(it.next) + " |\n";
  }
  const auto open = [](const auto& change) { return change.change != Change::same || change.may_regress; };
  std::size_t rows = 0, left = 0;
  for (const auto& change : comparison.findings) {
    if (!open(change)) continue;
    if (rows == most_rows) {
      ++left;
      continue;
    }
    if (rows++ == 0) out += "\n| | check | subject | status | observed | next |\n|---|---|---|---|---|---|\n";
    out += "| " + std::string(finding_word(change.change)) + " | " + markdown_code(change.check) + " | " +
           markdown_code(change.subject) + " | " + statuses_text(change) + " | " +
           markdown_code(change.next_observed) + " | " +
           markdown_text(change.regression ? change.remedy : "") + " |\n";
  }
  std::size_t series_rows = 0;
  for (const auto& change : comparison.series) {
    if (!open(change)) continue;
    if (series_rows == most_rows) {
      ++left;
      continue;
    }
    if (series_rows++ == 0)
      out += "\n| | series | base → new | slower by (95 %, all together) | |\n|---|---|--:|--:|---|\n";
    out += "| " + std::string(series_word(change.change)) + " | " + markdown_code(change.name) + " | " +
           medians_text(change) + " | " + slowdown_text(change) + " | " + markdown_text(change.why) + " |\n";
  }
  if (left > 0) out += "\n" + std::to_string(left) + " more are in the JSON.\n";
  return out;
}

}  // namespace mlc
