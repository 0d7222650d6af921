#include "reports/history/launches.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>

#include "reports/history/change_point.hpp"
#include "reports/history/student.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

constexpr double normal_975 = 1.959964;  // quantile of the standard normal distribution

// Of ln(median), by the launch's own samples.
double own_variance(const LaunchMedian& launch) {
  if (!(launch.ci[0] > 0 && launch.ci[1] >= launch.ci[0] && std::isfinite(launch.ci[1]))) return 0;
  const double deviation = std::log(launch.ci[1] / launch.ci[0]) / (2 * normal_975);
  return deviation * deviation;
}

}  // namespace

LaunchSpread spread_of(std::span<const LaunchMedian> launches) {
  LaunchSpread spread{.launches = launches.size()};
  if (launches.empty()) return spread;
  const auto n = static_cast<double>(launches.size());
  double within = 0, squares = 0;
  for (const auto& launch : launches)
    spread.centre += std::log(launch.value) / n, within += own_variance(launch) / n;
  for (const auto& launch : launches)
    squares += std::pow(std::log(launch.value) - spread.centre, 2);
  spread.variance = launches.size() < 2 ? within : std::max(within, squares / (n - 1));
  return spread;
}

double middle_of(const LaunchSpread& spread) { return std::exp(spread.centre); }

std::array<double, 2> interval_of(const LaunchSpread& spread) {
  if (spread.launches < 2) return {0, std::numeric_limits<double>::infinity()};
  const auto n = static_cast<double>(spread.launches);
  const double half = student_quantile(0.025, n - 1) * std::sqrt(spread.variance / n);
  return {std::exp(spread.centre - half), std::exp(spread.centre + half)};
}

std::array<double, 2> log_ratio_interval(const LaunchSpread& over, const LaunchSpread& under, double tail) {
  const double ratio = over.centre - under.centre;
  const auto n = static_cast<double>(over.launches), m = static_cast<double>(under.launches);
  const double a = over.variance / n, b = under.variance / m;
  if (a + b <= 0) return {ratio, ratio};
  // Welch and Satterthwaite: how many degrees of freedom two unequal spreads come to.
  const double freedom = (a + b) * (a + b) / (a * a / (n - 1) + b * b / (m - 1));
  const double half = student_quantile(tail, freedom) * std::sqrt(a + b);
  return {ratio - half, ratio + half};
}

std::vector<SeriesLaunch> launches_of(const Series& series) {
  if (!series.launches.empty()) return series.launches;
  return {{series.time_us.p50, series.time_us.mean, series.ci_us, series.samples}};
}

namespace {

template <class Figure>
double median_over(std::span<const Series> launches, Figure&& figure) {
  std::vector<double> values;
  for (const auto& launch : launches)
    values.push_back(figure(launch));
  return median_of(std::move(values));
}

Distribution distribution_of(std::span<const Series> launches) {
  Distribution all{.min = launches.front().time_us.min, .max = launches.front().time_us.max};
  double samples = 0;
  bool means = true;
  for (const auto& launch : launches) {
    const auto n = static_cast<double>(launch.samples);
    all.min = std::min(all.min, launch.time_us.min), all.max = std::max(all.max, launch.time_us.max);
    all.mean += launch.time_us.mean * n, samples += n;
    means = means && launch.time_us.mean > 0;
  }
  all.mean = means && samples > 0 ? all.mean / samples : 0;
  all.p50 = median_over(launches, [](const Series& s) { return s.time_us.p50; });
  all.p95 = median_over(launches, [](const Series& s) { return s.time_us.p95; });
  all.p99 = median_over(launches, [](const Series& s) { return s.time_us.p99; });
  return all;
}

// Of all samples: within the launches and between their means.
double cv_of(std::span<const Series> launches, double mean) {
  if (!(mean > 0)) return median_over(launches, [](const Series& s) { return s.cv; });
  double squares = 0, samples = 0;
  for (const auto& launch : launches) {
    const auto n = static_cast<double>(launch.samples);
    const double off = launch.time_us.mean - mean, within = launch.cv * launch.time_us.mean;
    squares += n * (off * off + within * within), samples += n;
  }
  return samples > 0 ? std::sqrt(squares / samples) / mean : 0;
}

// Why it took no more samples: what held in any launch, the least satisfying first.
std::string stop_of(std::span<const Series> launches) {
  for (const char* stop : {"time", "batches", "decided", "precise", "fixed"})
    if (std::ranges::any_of(launches, [&](const Series& s) { return s.stop == stop; })) return stop;
  return launches.front().stop;
}

std::optional<std::uint64_t> wrong_of(std::span<const Series> launches) {
  std::uint64_t all = 0;
  bool verified = true;
  for (const auto& launch : launches)
    all += launch.wrong.value_or(0), verified = verified && launch.wrong;
  return verified || all > 0 ? std::optional(all) : std::nullopt;
}

std::optional<Slowest> slowest_of(std::span<const Series> launches) {
  std::map<int, std::vector<double>> named;
  for (const auto& launch : launches)
    if (launch.slowest) named[launch.slowest->rank].push_back(launch.slowest->excess);
  for (auto& [rank, excesses] : named) {
    if (2 * excesses.size() <= launches.size()) continue;
    const auto first = std::ranges::find_if(
        launches, [&, r = rank](const Series& s) { return s.slowest && s.slowest->rank == r; });
    return Slowest{rank, first->slowest->node, median_of(std::move(excesses))};
  }
  return std::nullopt;
}

std::optional<Judgement> threshold_of(std::span<const Series> launches) {
  const auto badness = [](const Series& s) { return s.threshold ? severity(s.threshold->status) + 1 : 0; };
  const auto worst = std::ranges::max_element(launches, {}, badness);
  if (!worst->threshold) return std::nullopt;
  Judgement judgement = *worst->threshold;
  if (judgement.status != Status::pass)
    judgement.why += ", in " + std::to_string(std::ranges::count(launches, badness(*worst), badness)) +
                     " of " + std::to_string(launches.size()) + " launches";
  return judgement;
}

std::vector<double> rank_medians(std::span<const Series> launches) {
  std::vector<double> medians;
  const std::size_t ranks = launches.front().rank_p50_us.size();
  for (const auto& launch : launches)
    if (launch.rank_p50_us.size() != ranks) return medians;
  for (std::size_t rank = 0; rank < ranks; ++rank)
    medians.push_back(median_over(launches, [&](const Series& s) { return s.rank_p50_us[rank]; }));
  return medians;
}

std::vector<std::string> warnings_of(std::span<const Series> launches) {
  std::vector<std::string> order;
  for (const auto& launch : launches)
    for (const auto& warning : launch.warnings)
      if (std::ranges::find(order, warning) == order.end()) order.push_back(warning);
  const auto told = [&](const std::string& warning) {
    return std::ranges::count_if(launches, [&](const Series& s) {
      return std::ranges::find(s.warnings, warning) != s.warnings.end();
    });
  };
  for (auto& warning : order)
    if (const auto count = told(warning); count < std::ssize(launches))
      warning += " (" + std::to_string(count) + " of " + std::to_string(launches.size()) + " launches)";
  return order;
}

}  // namespace

Series joined(std::span<const Series> launches, Renewed renewed) {
  if (launches.empty()) throw std::invalid_argument("no launches to join");
  Series all = launches.front();
  if (launches.size() == 1) return all;
  all.time_us = distribution_of(launches);
  all.cv = cv_of(launches, all.time_us.mean);
  all.launches.clear(), all.samples = 0;
  for (const auto& launch : launches) {
    all.samples += launch.samples;
    std::ranges::copy(launches_of(launch), std::back_inserter(all.launches));
    if (!all.mismatch) all.mismatch = launch.mismatch;
  }
  std::vector<LaunchMedian> medians;
  for (const auto& launch : all.launches)
    medians.push_back({launch.p50_us, launch.ci_us});
  const auto interval = interval_of(spread_of(medians));
  all.ci_us = {std::min(interval[0], all.time_us.p50), std::max(interval[1], all.time_us.p50)};
  const Series& first = launches.front();
  const double bus_factor = first.algbw_gb_s > 0 ? first.busbw_gb_s / first.algbw_gb_s : 0;
  all.algbw_gb_s = all.told_us() > 0 ? static_cast<double>(all.bytes) / all.told_us() / 1e3 : 0;
  all.busbw_gb_s = all.algbw_gb_s * bus_factor;
  if (all.tuning && all.tuning->wire_gb_s)
    all.tuning->wire_gb_s =
        median_over(launches, [](const Series& s) { return s.tuning ? s.tuning->wire_gb_s.value_or(0) : 0; });
  all.wrong = wrong_of(launches);
  all.stop = stop_of(launches);
  all.slowest = slowest_of(launches);
  all.threshold = threshold_of(launches);
  all.rank_p50_us = rank_medians(launches);
  all.warnings = warnings_of(launches);
  all.renewed = renewed;
  return all;
}

namespace {

bool same_cell(const Series& a, const Series& b) {
  const auto cell = [](const Series& s) {
    return std::tie(s.collective, s.dtype, s.redop, s.placement, s.timing, s.bytes, s.root, s.ranks);
  };
  return cell(a) == cell(b);
}

}  // namespace

std::vector<Series> joined(std::span<const std::vector<Series>> launches, Renewed renewed) {
  struct Cell {
    std::vector<Series> launches;
    std::size_t last = 0;  // launch that it has a series of
  };
  std::vector<Cell> cells;
  for (std::size_t launch = 0; launch < launches.size(); ++launch)
    for (const Series& series : launches[launch]) {
      const auto known = std::ranges::find_if(cells, [&](const Cell& cell) {
        return cell.last < launch && same_cell(cell.launches.front(), series);
      });
      Cell& cell = known == cells.end() ? cells.emplace_back() : *known;
      cell.launches.push_back(series), cell.last = launch;
    }
  std::vector<Series> all;
  for (const Cell& cell : cells)
    all.push_back(joined(cell.launches, renewed));
  return all;
}

Report together(std::vector<Report> runs) {
  if (runs.empty()) throw std::invalid_argument("no runs to take together");
  // A copy of a run is no other launch of it.
  std::set<std::string> ids;
  std::erase_if(runs, [&](const Report& run) { return !ids.insert(run.run.id).second; });
  Report all = std::move(runs.front());
  const auto badness = [](Decision decision) {
    return decision == Decision::fail ? 2 : decision == Decision::inconclusive ? 1 : 0;
  };
  for (std::size_t i = 1; i < runs.size(); ++i) {
    Report& run = runs[i];
    std::ranges::move(run.series, std::back_inserter(all.series));
    std::ranges::move(run.figures.rails, std::back_inserter(all.figures.rails));
    std::ranges::move(run.errors, std::back_inserter(all.errors));
    for (auto& finding : run.findings) {
      const auto known = std::ranges::find_if(all.findings, [&](const Finding& it) {
        return it.check == finding.check && it.subject == finding.subject;
      });
      if (known == all.findings.end())
        all.findings.push_back(std::move(finding));
      else if (severity(finding.status) > severity(known->status))
        *known = std::move(finding);
    }
    if (badness(run.verdict.decision) > badness(all.verdict.decision)) all.verdict = std::move(run.verdict);
  }
  if (runs.size() > 1) all.run.id += " and " + std::to_string(runs.size() - 1) + " more";
  return all;
}

}  // namespace mlc
