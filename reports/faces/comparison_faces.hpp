// A comparison for a terminal, a program, a browser and a pull request.
#pragma once

#include <string>

#include "reports/faces/page_assets.hpp"
#include "reports/history/compare.hpp"

namespace mlc {

struct ComparisonTextOptions {
  bool colour = false;
  bool all = false;  // list what is the same too
};

std::string to_text(const Comparison& comparison, const ComparisonTextOptions& options = {});
std::string to_json(const Comparison& comparison);
std::string to_markdown(const Comparison& comparison);
std::string to_html(const Comparison& comparison, const PageAssets& assets = page_assets());

// What the three faces for people say alike.
std::string medians_text(const SeriesChange& change);    // "18.0 µs → 21.2 µs"
std::string slowdown_text(const SeriesChange& change);   // "+17.8 % (+15.1 % to +20.6 %)"
std::string statuses_text(const FindingChange& change);  // "pass → fail"
std::string summary_text(
    const Comparison& comparison);  // "22 series: 20 SAME, 2 SLOWER · 8 findings: 8 SAME"

}  // namespace mlc
