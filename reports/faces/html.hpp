// The report as one self-contained page: verdict, reasons and remedies first, then findings, charts with
// their tables, environment and policy folded, the record embedded.
#pragma once

#include <string>

#include "reports/faces/page_assets.hpp"
#include "reports/record/report.hpp"

namespace mlc {

std::string to_html(const Report& report, const PageAssets& assets = page_assets());

}  // namespace mlc
