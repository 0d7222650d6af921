#include "bench/stats/slow_rank.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "bench/stats/statistics.hpp"

namespace mlc {

namespace {

constexpr double false_name = 1e-3, least_share = 0.01, least_seconds = 1e-6;
constexpr std::size_t fewest_alike = 3;  // of two that differ, nobody knows which is at fault
constexpr std::uint64_t fewest_iterations = 5;

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

std::optional<SlowRank> find_slow_rank(std::span<const RankTimes> ranks, std::uint64_t iterations,
                                       const SlowRankSearch& search) {
  std::vector<std::size_t> alike;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank)
    if (rank != search.root) alike.push_back(rank);
  if (alike.size() < fewest_alike || iterations < fewest_iterations) return std::nullopt;
  const std::size_t slowest =
      *std::ranges::max_element(alike, {}, [&](std::size_t rank) { return ranks[rank].slowest; });
  std::vector<double> others;
  for (const std::size_t rank : alike)
    if (rank != slowest) others.push_back(ranks[rank].median);
  const double typical = median(others);
  if (!(typical > 0)) return std::nullopt;

  const auto n = static_cast<double>(alike.size());
  const double longest_way = search.root ? typical * n : typical;
  const double own = ranks[slowest].median;
  if (own < longest_way * (1 + least_share) || own < longest_way + least_seconds) return std::nullopt;
  const double log_p = log_binomial_tail(std::min(ranks[slowest].slowest, iterations), iterations, 1 / n) +
                       std::log(n * static_cast<double>(std::max<std::size_t>(search.sizes, 1)));
  if (log_p >= std::log(false_name)) return std::nullopt;
  return SlowRank{slowest, own / typical - 1};
}

}  // namespace mlc
