#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <set>

#include "reports/faces/html_frame.hpp"
#include "reports/faces/html_sections.hpp"
#include "reports/record/reasons.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

// More bars than this are not read one by one: the page draws the worst, the table below has all.
constexpr std::size_t most_bars = 32;
// A matrix with more cells than this is drawn whole, but its table lists culprits and the worst pairs only.
constexpr std::size_t most_cells = 1024;
constexpr std::size_t most_pairs = 100;
constexpr std::size_t most_rails = 512;  // in the table, worst first

std::string shown_status(Status status) {
  return std::string(status_mark(status)) + " " + std::string(to_string(status));
}

// Every rail's result at its largest message, worst first.
std::vector<std::size_t> rails_at_largest(const std::vector<RailResult>& rails) {
  std::map<std::tuple<std::string, int, std::string, std::string>, std::size_t> largest;
  for (std::size_t i = 0; i < rails.size(); ++i) {
    const auto [found, fresh] =
        largest.try_emplace({rails[i].node, rails[i].rail, operation_of(rails[i]), rails[i].peer}, i);
    if (!fresh && rails[i].bytes > rails[found->second].bytes) found->second = i;
  }
  std::vector<std::size_t> list;
  for (const auto& [key, index] : largest)
    list.push_back(index);
  const auto sick = [&](std::size_t i) { return rails[i].status == Status::fail; };
  std::stable_sort(list.begin(), list.end(), [&](std::size_t a, std::size_t b) {
    return std::tuple(!sick(a), rails[a].gbit_s) < std::tuple(!sick(b), rails[b].gbit_s);
  });
  return list;
}

void write_rails(HtmlWriter& html, const Report& report) {
  const auto& rails = report.figures.rails;
  if (rails.empty()) return;
  html.open("section", {{"id", "rails"}}).leaf("h2", "Rails");
  const auto all = rails_at_largest(rails);
  auto drawn = all;
  if (drawn.size() > most_bars) drawn.resize(most_bars);
  std::string caption = "Bandwidth of each rail at its largest message";
  if (const auto& link = report.figures.interconnect)
    caption += ", against " + shortest(link->rail_gbit_s) + " Gbit/s";
  if (drawn.size() < all.size())
    caption += ": the " + std::to_string(drawn.size()) + " slowest of " + std::to_string(all.size());
  open_figure(html, "rail-bars", caption, "rail_bars", "{\"rails\":" + index_list(drawn) + "}");
  html.open("details", {{all.size() <= 32 ? "open" : "", ""}}).leaf("summary", "Table: rails");
  open_table(html, caption,
             {"node", "rail", "device", "peer", "operation", "size", "Gbit/s", "95 % interval", "p50", "p99",
              "policy"});
  for (std::size_t row = 0; row < all.size() && row < most_rails; ++row) {
    const std::size_t i = all[row];
    const RailResult& rail = rails[i];
    html.open("tr", {{rail.status == Status::fail ? "class" : "", "fail"}});
    html.leaf("th", rail.node, {{"scope", "row"}}).leaf("td", std::to_string(rail.rail));
    html.leaf("td", rail.device)
        .leaf("td", rail.peer)
        .leaf("td", operation_of(rail))
        .leaf("td", bytes_text(rail.bytes));
    html.leaf("td", fixed(rail.gbit_s, 2));
    html.leaf("td", fixed(rail.ci_gbit_s[0], 2) + " – " + fixed(rail.ci_gbit_s[1], 2));
    html.leaf("td", rail.p50_us ? time_text(*rail.p50_us) : "")
        .leaf("td", rail.p99_us ? time_text(*rail.p99_us) : "");
    html.leaf("td", shown_status(rail.status)).close();
  }
  close_table(html);
  if (all.size() > most_rails)
    html.leaf("p", std::to_string(all.size() - most_rails) + " more are in the JSON.");
  html.close().close();

  // Small multiples where a rail was measured at more than one size, for the rails drawn above.
  std::set<std::tuple<std::string, int>> shown;
  for (const std::size_t i : drawn)
    if (shown.size() < 16) shown.insert({rails[i].node, rails[i].rail});
  std::vector<std::size_t> sweep;
  for (std::size_t i = 0; i < rails.size(); ++i)
    if (shown.contains({rails[i].node, rails[i].rail})) sweep.push_back(i);
  if (sweep.size() > all.size() || (sweep.size() > shown.size() && shown.size() < all.size())) {
    const std::string sizes = "Each rail by message size";
    open_figure(html, "rail-sizes", sizes, "rail_sizes", "{\"rails\":" + index_list(sweep) + "}");
    html.open("details").leaf("summary", "Table: rails by message size");
    open_table(html, sizes, {"node", "rail", "operation", "size", "Gbit/s", "p50", "p99"});
    for (const std::size_t i : sweep) {
      const RailResult& rail = rails[i];
      html.open("tr").leaf("th", rail.node, {{"scope", "row"}}).leaf("td", std::to_string(rail.rail));
      html.leaf("td", rail.operation).leaf("td", bytes_text(rail.bytes)).leaf("td", fixed(rail.gbit_s, 2));
      html.leaf("td", rail.p50_us ? time_text(*rail.p50_us) : "")
          .leaf("td", rail.p99_us ? time_text(*rail.p99_us) : "");
      html.close();
    }
    close_table(html).close().close();
  }
  html.close();
}

void write_matrix_cells(HtmlWriter& html, const Matrix& matrix) {
  html.open("div", {{"class", "scroll"}, {"role", "group"}, {"tabindex", "0"}, {"aria-label", matrix.title}});
  html.open("table").leaf("caption",
                          matrix.title + ", " + unit_text(matrix.unit) + ": sender down, receiver across");
  html.open("thead").open("tr").leaf("th", "from \\ to", {{"scope", "col"}});
  for (const auto& column : matrix.columns)
    html.leaf("th", column, {{"scope", "col"}});
  html.close().close().open("tbody");
  for (std::size_t r = 0; r < matrix.rows.size(); ++r) {
    html.open("tr").leaf("th", matrix.rows[r], {{"scope", "row"}});
    for (std::size_t c = 0; c < matrix.columns.size(); ++c) {
      const auto& value = matrix.values[r * matrix.columns.size() + c];
      const bool culprit = std::any_of(matrix.culprits.begin(), matrix.culprits.end(), [&](const auto& it) {
        return (it.row == r && (it.column == c || it.whole_row)) || (it.column == c && it.whole_column);
      });
      html.leaf("td", (culprit ? "✗ " : "") + (value ? fixed(*value, 2) : "–"),
                {{culprit ? "class" : "", "fail"}});
    }
    html.close();
  }
  close_table(html);
}

void write_worst_pairs(HtmlWriter& html, const Matrix& matrix) {
  std::vector<std::size_t> cells;
  for (std::size_t i = 0; i < matrix.values.size(); ++i)
    if (matrix.values[i]) cells.push_back(i);
  const bool more_is_worse = matrix.unit == "us";
  const auto worse = [&](std::size_t a, std::size_t b) {
    return more_is_worse ? *matrix.values[a] > *matrix.values[b] : *matrix.values[a] < *matrix.values[b];
  };
  const std::size_t count = std::min(most_pairs, cells.size());
  std::partial_sort(cells.begin(), cells.begin() + static_cast<std::ptrdiff_t>(count), cells.end(), worse);
  const std::string caption =
      "The " + std::to_string(count) + " worst of " + std::to_string(cells.size()) + " pairs";
  open_table(html, caption, {"from", "to", unit_text(matrix.unit)});
  for (std::size_t i = 0; i < count; ++i) {
    html.open("tr").leaf("th", matrix.rows[cells[i] / matrix.columns.size()], {{"scope", "row"}});
    html.leaf("td", matrix.columns[cells[i] % matrix.columns.size()])
        .leaf("td", fixed(*matrix.values[cells[i]], 2));
    html.close();
  }
  close_table(html);
}

void write_matrices(HtmlWriter& html, const Report& report) {
  const auto& matrices = report.figures.matrices;
  if (matrices.empty()) return;
  html.open("section", {{"id", "matrices"}}).leaf("h2", "Who is slow with whom");
  for (std::size_t i = 0; i < matrices.size(); ++i) {
    const Matrix& matrix = matrices[i];
    html.leaf("h3", matrix.title);
    if (!matrix.culprits.empty()) {
      html.open("ul", {{"class", "culprits"}});
      for (const auto& culprit : matrix.culprits) {
        const std::string who = culprit.whole_row ? matrix.rows[culprit.row]
                                : culprit.whole_column
                                    ? matrix.columns[culprit.column]
                                    : matrix.rows[culprit.row] + " → " + matrix.columns[culprit.column];
        html.leaf("li", "✗ " + who + ": " + culprit.why);
      }
      html.close();
    }
    open_figure(html, "matrix-" + std::to_string(i), matrix.title + ", " + unit_text(matrix.unit), "matrix",
                "{\"matrix\":" + std::to_string(i) + "}");
    html.open("details").leaf("summary", "Table: " + matrix.title);
    if (matrix.values.size() <= most_cells)
      write_matrix_cells(html, matrix);
    else
      write_worst_pairs(html, matrix);
    html.close().close();
  }
  html.close();
}

void write_histograms(HtmlWriter& html, const Report& report) {
  const auto& histograms = report.figures.histograms;
  if (histograms.empty()) return;
  html.open("section", {{"id", "histograms"}}).leaf("h2", "Latency");
  for (std::size_t i = 0; i < histograms.size(); ++i) {
    const Histogram& histogram = histograms[i];
    const std::string title = histogram.title + (histogram.subject.empty() ? "" : " · " + histogram.subject);
    html.open("details", {{"class", "sweep"}, {i < 4 ? "open" : "", ""}}).leaf("summary", title);
    open_figure(html, "histogram-" + std::to_string(i), "How often each latency occurred: " + title,
                "histogram", "{\"histogram\":" + std::to_string(i) + "}");
    html.open("details").leaf("summary", "Table: " + title);
    open_table(html, title, {"from", "to", "count"});
    for (std::size_t bin = 0; bin < histogram.counts.size(); ++bin) {
      html.open("tr").leaf("th", time_text(histogram.edges_us[bin]), {{"scope", "row"}});
      html.leaf("td", time_text(histogram.edges_us[bin + 1]))
          .leaf("td", std::to_string(histogram.counts[bin]))
          .close();
    }
    close_table(html).close().close().close();
  }
  html.close();
}

std::string range_text(const std::vector<double>& values, int decimals) {
  std::vector<double> sorted;
  std::copy_if(values.begin(), values.end(), std::back_inserter(sorted),
               [](double value) { return std::isfinite(value); });
  if (sorted.empty()) return "not read";
  std::sort(sorted.begin(), sorted.end());
  return fixed(sorted.front(), decimals) + " – " + fixed(sorted[sorted.size() / 2], decimals) + " – " +
         fixed(sorted.back(), decimals);
}

void write_gpus(HtmlWriter& html, const Report& report) {
  const auto& traces = report.figures.gpu_traces;
  if (traces.empty()) return;
  html.open("section", {{"id", "gpus"}}).leaf("h2", "GPUs over the burn-in");
  std::map<std::string, std::vector<std::size_t>> nodes;
  for (std::size_t i = 0; i < traces.size(); ++i)
    nodes[traces[i].node].push_back(i);
  std::size_t number = 0;
  for (const auto& [node, members] : nodes) {
    const std::string caption = "Clock, power and temperature of the GPUs of " + node;
    const bool eventful =
        std::any_of(members.begin(), members.end(), [&](auto i) { return !traces[i].events.empty(); });
    html.open("details", {{"class", "sweep"}, {number < 2 || eventful ? "open" : "", ""}})
        .leaf("summary", node);
    open_figure(html, "gpus-" + std::to_string(number++), caption, "gpus",
                "{\"traces\":" + index_list(members) + "}");
    open_table(
        html, caption + " (least – median – most)",
        {"GPU", "SM clock MHz", "power W", "power limit W", "temperature °C", "slows down at °C", "events"});
    for (const std::size_t i : members) {
      const GpuTrace& trace = traces[i];
      html.open("tr", {{trace.events.empty() ? "" : "class", "fail"}});
      html.leaf("th", std::to_string(trace.gpu), {{"scope", "row"}});
      html.leaf("td", range_text(trace.sm_clock_mhz, 0)).leaf("td", range_text(trace.power_w, 0));
      html.leaf("td", trace.power_limit_w ? fixed(*trace.power_limit_w, 0) : "");
      html.leaf("td", range_text(trace.temperature_c, 0));
      html.leaf("td", trace.slowdown_temperature_c ? fixed(*trace.slowdown_temperature_c, 0) : "");
      std::vector<std::string> events;
      for (const auto& event : trace.events)
        events.push_back(event.what + " at " + fixed(event.time_s, 1) + " s");
      html.leaf("td", join(events, "; "), {{"class", "text"}}).close();
    }
    close_table(html).close().close();
  }
  html.close();
}

void write_gpu_results(HtmlWriter& html, const Report& report) {
  const auto& results = report.figures.gpu_results;
  if (results.empty()) return;
  html.open("section", {{"id", "gpu-results"}}).leaf("h2", "Figures of the GPUs");
  open_table(html, "Median of each figure of each GPU, and what it is judged by",
             {"GPU", "test", "metric", "median", "least", "most", "of the limit", "bound", "judged"});
  for (const auto& result : results) {
    html.open("tr", {{result.status == Status::fail ? "class" : "", "fail"}});
    html.leaf("th", std::to_string(result.gpu), {{"scope", "row"}});
    html.leaf("td", result.test, {{"class", "text"}}).leaf("td", result.metric, {{"class", "text"}});
    html.leaf("td", fixed(result.value, 2) + " " + result.unit);
    html.leaf("td", fixed(result.min, 2)).leaf("td", fixed(result.max, 2));
    html.leaf("td", result.share_of_limit ? percent_text(*result.share_of_limit) : "");
    html.leaf("td", result.bound ? fixed(*result.bound, 2) : "");
    html.leaf("td", std::string(to_string(result.status)), {{"class", "text"}}).close();
  }
  close_table(html).close();
}

}  // namespace

void write_figures(HtmlWriter& html, const Report& report) {
  write_rails(html, report);
  write_matrices(html, report);
  write_histograms(html, report);
  write_gpu_results(html, report);
  write_gpus(html, report);
}

}  // namespace mlc
