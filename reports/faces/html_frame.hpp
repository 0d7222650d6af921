// What every page has: head, policy against foreign content, the embedded record, the scripts.
#pragma once

#include <string>
#include <string_view>

#include "reports/faces/html_writer.hpp"
#include "reports/faces/page_assets.hpp"

namespace mlc {

struct PageFrame {
  std::string title;
  std::string kind;         // "report", "comparison" or "history": which drawings the script may make
  std::string record_json;  // embedded whole; what the charts draw and the download saves
  std::string file_name;    // under which the download saves it
};

// One self-contained page: `body` is markup made by HtmlWriter.
std::string framed(const PageFrame& frame, std::string body, const PageAssets& assets);

// A chart's place: the drawing goes into it where scripts run; its table, which the caller writes next, is
// what everybody else reads. Close it with close() after the table. `drawing` names a function of
// page/page.js and `selection` is what it shows of the record, as JSON.
HtmlWriter& open_figure(HtmlWriter& html, const std::string& id, const std::string& caption,
                        const std::string& drawing, const std::string& selection = {});

std::string index_list(const std::vector<std::size_t>& indices);  // "[0,3,4]", for a selection

std::string unit_text(const std::string& unit);  // "gbit_s" -> "Gbit/s"; what is not known stays as it is

// A table that can be scrolled sideways by keyboard too. close_table() closes both.
HtmlWriter& open_table(HtmlWriter& html, const std::string& caption,
                       const std::vector<std::string_view>& heads);
HtmlWriter& close_table(HtmlWriter& html);

}  // namespace mlc
