#include "bench/engine/sampling.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "bench/stats/statistics.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

double half_interval(const Summary& summary) {
  if (!(summary.p50 > 0)) return std::numeric_limits<double>::infinity();
  return (summary.median_ci[1] - summary.median_ci[0]) / 2 / summary.p50;
}

std::string why_stop(const Sampling& sampling, const RunnerOptions& options, double elapsed_s) {
  if (sampling.judge)
    return sampling.judge->decided()                  ? "decided"
           : sampling.judge->exhausted()              ? "batches"
           : elapsed_s > options.max_seconds_question ? "time"
                                                      : "";
  if (sampling.samples.empty()) return "";
  return sampling.samples.size() >= 20 && half_interval(summarise(sampling.samples)) <= options.precision
             ? "precise"
         : elapsed_s > options.max_seconds ? "time"
                                           : "";
}

}  // namespace

int next_iterations(Sampling& sampling, const RunnerOptions& options, double elapsed_s) {
  const double window_s = std::clamp(enough_in_window * sampling.typical, sampling.window_s,
                                     std::max(sampling.window_s, longest_window_seconds));
  const auto fitting =
      sampling.typical > 0 ? static_cast<int>(std::min(window_s / sampling.typical, 1e6)) : least_in_window;
  const int iterations = std::clamp(fitting, least_in_window, most_in_window);
  if (options.iterations) {
    const int left = *options.iterations - static_cast<int>(sampling.samples.size());
    if (left == 0) sampling.stop = "fixed";
    return std::min(iterations, left);
  }
  sampling.stop = why_stop(sampling, options, elapsed_s);
  return sampling.stop.empty() ? iterations : 0;
}

std::string so_far(const Sampling& sampling) {
  const Summary summary = summarise(sampling.samples);
  return time_text(summary.p50 * 1e6) + " ± " + percent_text(half_interval(summary));
}

Series named_series(const Cell& cell, int ranks) {
  Series series;
  series.collective = cell.collective->name;
  series.dtype = to_string(cell.dtype);
  if (cell.collective->reduces) series.redop = to_string(cell.redop);
  if (cell.collective->rooted) series.root = cell.root;
  series.placement = to_string(cell.placement);
  series.bytes = cell.bytes, series.requested_bytes = cell.requested_bytes;
  series.ranks = ranks;
  return series;
}

Series series_of(const Cell& cell, const Sampling& sampling, int ranks, const RunnerOptions& options) {
  const Summary summary = summarise(sampling.samples);
  Series series = named_series(cell, ranks);
  series.samples = sampling.samples.size();
  series.time_us = {.min = summary.min * 1e6,
                    .p50 = summary.p50 * 1e6,
                    .p95 = summary.p95 * 1e6,
                    .p99 = summary.p99 * 1e6,
                    .max = summary.max * 1e6,
                    .mean = summary.mean * 1e6};
  if (options.timing != Timing::slowest) series.timing = to_string(options.timing);
  series.ci_us = {summary.median_ci[0] * 1e6, summary.median_ci[1] * 1e6};
  series.cv = std::isfinite(summary.cv) ? std::max(summary.cv, 0.0) : 0;
  if (series.told_us() > 0) series.algbw_gb_s = static_cast<double>(cell.bytes) / series.told_us() / 1e3;
  series.busbw_gb_s = series.algbw_gb_s * cell.collective->bus_factor(ranks);
  series.stop = sampling.stop;
  return series;
}

std::optional<std::string> slow_start(const Sampling& sampling) {
  const double typical = median(sampling.samples);
  if (sampling.samples.size() < 5 || !(typical > 0) || sampling.samples.front() <= 3 * typical)
    return std::nullopt;
  return "the first timed iteration took " + fixed(sampling.samples.front() / typical, 1) +
         " times the median";
}

}  // namespace mlc
