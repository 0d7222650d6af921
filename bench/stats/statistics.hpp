// Order statistics of samples, and what can be said of their dependence. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace mlc {

struct Summary {
  double min = 0, p50 = 0, p95 = 0, p99 = 0, max = 0;
  double mean = 0;
  double cv = 0;                      // sample standard deviation over mean; infinite below 2 samples
  std::array<double, 2> median_ci{};  // 95 %; the whole range where there are too few samples for one
};

// Percentiles by nearest rank (sorted[ceil(n p / 100) - 1]); the median of an even count is the mean of the
// middle two. Throws std::invalid_argument on no samples.
Summary summarise(std::span<const double> samples);

double median(std::vector<double> values);

// 95 % confidence interval of the median by order statistics, distribution free: indices from
// floor((n - 1.96 sqrt n) / 2) and ceil(1 + (n + 1.96 sqrt n) / 2) (Hoefler and Belli, SC'15). Empty below 6
// samples, where no interval reaches 95 %.
std::optional<std::array<double, 2>> median_interval(std::span<const double> sorted);

// Correlation of successive samples; 0 below 8 samples or without variance.
double lag1_autocorrelation(std::span<const double> samples);

}  // namespace mlc
