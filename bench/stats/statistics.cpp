#include "bench/stats/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace mlc {

namespace {

double sorted_median(std::span<const double> sorted) {
  const std::size_t n = sorted.size();
  return n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

double nearest_rank(std::span<const double> sorted, double percent) {
  const auto position =
      static_cast<std::size_t>(std::ceil(static_cast<double>(sorted.size()) * percent / 100));
  return sorted[std::clamp<std::size_t>(position, 1, sorted.size()) - 1];
}

}  // namespace

double median(std::vector<double> values) {
  if (values.empty()) throw std::invalid_argument("median of nothing");
  std::sort(values.begin(), values.end());
  return sorted_median(values);
}

std::optional<std::array<double, 2>> median_interval(std::span<const double> sorted) {
  const auto n = static_cast<double>(sorted.size());
  if (sorted.size() < 6) return std::nullopt;
  // One-based ranks of the two order statistics.
  const auto low = static_cast<std::int64_t>(std::floor((n - 1.96 * std::sqrt(n)) / 2));
  const auto high = static_cast<std::int64_t>(std::ceil(1 + (n + 1.96 * std::sqrt(n)) / 2));
  const auto last = static_cast<std::int64_t>(sorted.size());
  return std::array{sorted[static_cast<std::size_t>(std::clamp<std::int64_t>(low, 1, last) - 1)],
                    sorted[static_cast<std::size_t>(std::clamp<std::int64_t>(high, 1, last) - 1)]};
}

Summary summarise(std::span<const double> samples) {
  if (samples.empty()) throw std::invalid_argument("summary of no samples");
  std::vector<double> sorted(samples.begin(), samples.end());
  std::sort(sorted.begin(), sorted.end());
  const auto n = static_cast<double>(sorted.size());
  Summary summary;
  summary.min = sorted.front(), summary.max = sorted.back();
  summary.p50 = sorted_median(sorted);
  summary.p95 = nearest_rank(sorted, 95), summary.p99 = nearest_rank(sorted, 99);
  summary.mean = std::accumulate(sorted.begin(), sorted.end(), 0.0) / n;
  double squares = 0;
  for (double x : sorted)
    squares += (x - summary.mean) * (x - summary.mean);
  summary.cv = sorted.size() < 2 ? std::numeric_limits<double>::infinity()
                                 : std::sqrt(squares / (n - 1)) / summary.mean;
  summary.median_ci = median_interval(sorted).value_or(std::array{summary.min, summary.max});
  return summary;
}

double lag1_autocorrelation(std::span<const double> samples) {
  if (samples.size() < 8) return 0;
  const double mean =
      std::accumulate(samples.begin(), samples.end(), 0.0) / static_cast<double>(samples.size());
  double variance = 0, covariance = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    variance += (samples[i] - mean) * (samples[i] - mean);
    if (i > 0) covariance += (samples[i] - mean) * (samples[i - 1] - mean);
  }
  return variance > 0 ? covariance / variance : 0;
}

}  // namespace mlc
