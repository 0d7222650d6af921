#include "bench/fleet/localisation/intervals.hpp"

#include <algorithm>
#include <cmath>

namespace mlc::fleet {

namespace {

// P(X <= count) of a binomial, by its terms: counts here are small or the share is not.
double below_or_at(std::size_t count, std::size_t of, double share) {
  if (share <= 0) return 1;
  if (share >= 1) return count >= of ? 1 : 0;
  const double n = static_cast<double>(of);
  const auto term = [&](std::size_t k) {
    const double i = static_cast<double>(k);
    return std::exp(std::lgamma(n + 1) - std::lgamma(i + 1) - std::lgamma(n - i + 1) + i * std::log(share) +
                    (n - i) * std::log1p(-share));
  };
  double sum = 0;
  // From the largest term down, until nothing is added.
  for (std::size_t k = count + 1; k-- > 0;) {
    const double part = term(k);
    sum += part;
    if (part < sum * 1e-16 && static_cast<double>(k) < n * share) break;
  }
  return sum;
}

// The share at which P(X <= count) is `tail`.
double share_at(std::size_t count, std::size_t of, double tail) {
  double low = 0, high = 1;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (below_or_at(count, of, middle) > tail ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace

std::array<double, 2> share_interval(std::size_t count, std::size_t of) {
  if (of == 0) return {0, 1};
  return {count == 0 ? 0 : share_at(count - 1, of, .975), count >= of ? 1 : share_at(count, of, .025)};
}

std::array<double, 2> mean_interval(double sum, double squares, std::size_t values) {
  if (values == 0) return {0, 0};
  const double n = static_cast<double>(values), mean = sum / n;
  const double variance = values < 2 ? 0 : std::max(0., squares - n * mean * mean) / (n - 1);
  const double half = 1.96 * std::sqrt(variance / n);
  return {mean - half, mean + half};
}

}  // namespace mlc::fleet
