#include "reports/faces/gpu_text.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

std::string figure(double value, const std::string& unit) {
  const double size = std::fabs(value);
  return fixed(value, size < 10 ? 2 : size < 100 ? 1 : 0) + " " + unit;
}

// One GPU that failed stands for its line.
Status worst_of(const std::vector<const GpuResult*>& results) {
  Status status = Status::skip;
  for (const auto* result : results)
    if (result->status == Status::fail || status == Status::skip) status = result->status;
  return status;
}

}  // namespace

std::string gpu_results_text(const Report& report, const Style& style) {
  const auto& all = report.figures.gpu_results;
  if (all.empty()) return "";
  std::vector<std::pair<std::string, std::string>> order;
  std::map<std::pair<std::string, std::string>, std::vector<const GpuResult*>> lines;
  std::size_t metric_width = 6;
  for (const auto& result : all) {
    const std::pair key(result.test, result.metric);
    if (!lines.contains(key)) order.push_back(key);
    lines[key].push_back(&result);
    metric_width = std::max(metric_width, columns(result.metric));
  }
  constexpr std::size_t test_width = 8, value_width = 14, gpu_width = 24;
  std::string text = style.dim(pad_right("test", test_width) + "  " + pad_right("metric", metric_width) +
                               pad_left("median", value_width) + pad_left("of limit", 10) + "  " +
                               pad_right("lowest and highest GPU", 2 * gpu_width) + "  bound") +
                     "\n";
  for (const auto& key : order) {
    const auto& results = lines[key];
    const auto [low, high] =
        std::ranges::minmax_element(results, {}, [](const GpuResult* result) { return result->value; });
    std::vector<double> values;
    for (const auto* result : results)
      values.push_back(result->value);
    std::ranges::sort(values);
    const double median = (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
    const GpuResult& first = *results.front();
    const auto of_gpu = [&](const GpuResult& result) {
      return figure(result.value, result.unit) + " (GPU " + std::to_string(result.gpu) + ")";
    };
    const Status status = worst_of(results);
    const std::string bound = first.bound ? (status == Status::fail ? style.red("✗ ") : style.green("✓ ")) +
                                                figure(*first.bound, first.unit)
                              : status == Status::fail ? style.red("✗")
                                                       : std::string();
    text +=
        pad_right(printable(key.first, 20), test_width) + "  " +
        pad_right(printable(key.second, 40), metric_width) +
        pad_left(figure(median, first.unit), value_width) +
        pad_left(first.share_of_limit ? percent_text(median * *first.share_of_limit / first.value) : "", 10) +
        "  " + pad_right(of_gpu(**low), gpu_width) +
        pad_right(results.size() > 1 ? of_gpu(**high) : "", gpu_width) + "  " + bound + "\n";
  }
  return text;
}

}  // namespace mlc
