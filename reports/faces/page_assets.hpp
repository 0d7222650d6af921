// What is built into every page: the files of reports/page/ and, where the build found it, the chart library.
#pragma once

#include <string_view>

namespace mlc {

struct PageAssets {
  std::string_view style;          // page/page.css
  std::string_view script;         // page/page.js
  std::string_view script_sha256;  // base64, for the page's content security policy
  std::string_view charts;         // Vega, Vega-Lite and their embedder as one script; empty: not built in
  std::string_view charts_sha256;
  std::string_view why_no_charts;  // the reason when it is not
};

const PageAssets& page_assets();

}  // namespace mlc
