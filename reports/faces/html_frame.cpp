#include "reports/faces/html_frame.hpp"

namespace mlc {

std::string framed(const PageFrame& frame, std::string body, const PageAssets& assets) {
  const bool drawn = !assets.charts.empty();
  // Nothing may be fetched and only the two scripts with these hashes may run, whatever the record contains.
  // Styles are open because the chart library sets them; with no source allowed they can leak nothing.
  std::string policy = "default-src 'none'; script-src 'sha256-" + std::string(assets.script_sha256) + "'";
  if (drawn) policy += " 'sha256-" + std::string(assets.charts_sha256) + "'";
  policy += "; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'";

  HtmlWriter html;
  html.trusted("<!DOCTYPE html>\n").open("html", {{"lang", "en"}}).open("head");
  html.empty("meta", {{"charset", "utf-8"}});
  html.empty("meta", {{"http-equiv", "Content-Security-Policy"}, {"content", policy}});
  html.empty("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}});
  html.empty("meta", {{"name", "color-scheme"}, {"content", "light dark"}});
  html.leaf("title", frame.title);
  html.open("style").trusted(assets.style).close();
  html.close();

  html.open("body", {{"data-page", frame.kind}});
  html.open("a", {{"class", "skip"}, {"href", "#main"}}).text("Skip to the content").close();
  html.open("main", {{"id", "main"}});
  html.trusted(body);
  if (!drawn)
    html.leaf("p", "Tables only: " + std::string(assets.why_no_charts) + ".",
              {{"class", "note"}, {"id", "no-charts"}});
  html.close();

  html.open("footer");
  html.open("p");
  html.open("button",
            {{"type", "button"}, {"id", "download"}, {"data-file", frame.file_name}, {"hidden", ""}});
  html.text("Save the raw JSON").close();
  html.open("button", {{"type", "button"}, {"id", "unfold"}, {"hidden", ""}})
      .text("Open all sections")
      .close();
  html.close();
  html.open("noscript").leaf("p", "Scripts are off: every chart is shown as its table.").close();
  html.leaf("p", "This page is one file. It fetches nothing; the record it was made from is inside it.");
  html.close();

  html.trusted("<script type=\"application/json\" id=\"record\">");
  html.trusted(json_for_script(frame.record_json)).trusted("</script>\n");
  if (drawn) html.trusted("<script>").trusted(assets.charts).trusted("</script>\n");
  html.trusted("<script>").trusted(assets.script).trusted("</script>\n");
  return std::move(html).take();
}

HtmlWriter& open_figure(HtmlWriter& html, const std::string& id, const std::string& caption,
                        const std::string& drawing, const std::string& selection) {
  html.open("figure",
            {{"id", id}, {"data-drawing", drawing}, {selection.empty() ? "" : "data-selection", selection}});
  return html.leaf("figcaption", caption).open("div", {{"class", "drawing"}}).close();
}

std::string index_list(const std::vector<std::size_t>& indices) {
  std::string text;
  for (const std::size_t index : indices)
    text += (text.empty() ? "" : ",") + std::to_string(index);
  return "[" + text + "]";
}

std::string unit_text(const std::string& unit) {
  if (unit == "gbit_s") return "Gbit/s";
  if (unit == "gb_s") return "GB/s";
  return unit == "us" ? "µs" : unit;
}

HtmlWriter& open_table(HtmlWriter& html, const std::string& caption,
                       const std::vector<std::string_view>& heads) {
  html.open("div", {{"class", "scroll"}, {"role", "group"}, {"tabindex", "0"}, {"aria-label", caption}});
  html.open("table").leaf("caption", caption).open("thead").open("tr");
  for (const auto head : heads)
    html.leaf("th", head, {{"scope", "col"}});
  return html.close().close().open("tbody");
}

HtmlWriter& close_table(HtmlWriter& html) { return html.close().close().close(); }

}  // namespace mlc
