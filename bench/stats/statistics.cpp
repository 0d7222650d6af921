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

int thinning(double rho) {
  if (!(rho > 0.05)) return 1;
  if (rho >= 0.955) return 64;
  return std::clamp(static_cast<int>(std::ceil(std::log(0.05) / std::log(rho))), 1, 64);
}

namespace {

// ln P(X >= k) of a binomial(n, p), exactly summed in logarithms.
double log_binomial_tail(std::uint64_t k, std::uint64_t n, double p) {
  if (k == 0) return 0;
  const auto log_term = [&](std::uint64_t i) {
    const auto x = static_cast<double>(i), m = static_cast<double>(n);
    return std::lgamma(m + 1) - std::lgamma(x + 1) - std::lgamma(m - x + 1) + x * std::log(p) +
           (m - x) * std::log1p(-p);
  };
  const double first = log_term(k);
  double sum = 0;
  for (std::uint64_t i = k; i <= n; ++i) {
    const double ratio = std::exp(log_term(i) - first);
    sum += ratio;
    if (static_cast<double>(i) > static_cast<double>(n) * p && ratio < 1e-12 * sum) break;
  }
  return std::min(0.0, first + std::log(sum));
}

}  // namespace

std::optional<SlowRank> find_slow_rank(std::span<const RankTimes> ranks, std::uint64_t iterations) {
  if (ranks.size() < 2 || iterations < 5) return std::nullopt;
  const auto slowest = std::max_element(ranks.begin(), ranks.end(),
                                        [](const auto& a, const auto& b) { return a.slowest < b.slowest; });
  std::vector<double> others;
  for (auto it = ranks.begin(); it != ranks.end(); ++it)
    if (it != slowest) others.push_back(it->median);
  const double typical = median(others);
  if (!(typical > 0)) return std::nullopt;
  const SlowRank found{static_cast<std::size_t>(slowest - ranks.begin()), slowest->median / typical - 1};
  const auto n = static_cast<double>(ranks.size());
  const double log_p =
      log_binomial_tail(std::min(slowest->slowest, iterations), iterations, 1 / n) + std::log(n);
  return found.excess >= 0.02 && log_p < std::log(1e-3) ? std::optional(found) : std::nullopt;
}

}  // namespace mlc
