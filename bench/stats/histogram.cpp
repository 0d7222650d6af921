#include "bench/stats/histogram.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace mlc {

namespace {

constexpr double bins_per_octave = 8;
constexpr double least_us = 1e-3;  // a nanosecond: below the clock's step

int bin_of(double us) {
  return static_cast<int>(std::floor(std::log2(std::max(us, least_us)) * bins_per_octave));
}
double edge_of(int bin) { return std::exp2(bin / bins_per_octave); }

}  // namespace

Latencies latencies_of(std::span<const double> samples_us) {
  if (samples_us.empty()) throw std::invalid_argument("no latencies");
  std::vector<double> sorted(samples_us.begin(), samples_us.end());
  std::ranges::sort(sorted);
  const auto percentile = [&](double p) {
    const auto rank = static_cast<std::size_t>(std::ceil(static_cast<double>(sorted.size()) * p));
    return sorted[std::max<std::size_t>(rank, 1) - 1];
  };
  Latencies result{
      {percentile(0.5), percentile(0.9), percentile(0.99), percentile(0.999), sorted.front(), sorted.back()},
      {},
      {}};
  const int first = bin_of(sorted.front()), last = bin_of(sorted.back());
  for (int bin = first; bin <= last + 1; ++bin)
    result.edges_us.push_back(edge_of(bin));
  result.counts.resize(static_cast<std::size_t>(last - first + 1));
  for (double sample : sorted)
    ++result.counts[static_cast<std::size_t>(bin_of(sample) - first)];
  return result;
}

}  // namespace mlc
