#include "validators/deciding/judged_again.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <optional>

#include "bench/stats/judging.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

// The figure of the metric; empty where the report does not have it.
std::optional<double> value_of(const Series& series, int nodes, const std::string& metric) {
  if (metric == "time_us") return series.time_us.p50;
  if (metric == "busbw_gb_s") return series.busbw_gb_s;
  // Bytes on the wire are judged where they are fewer than busbw counts, which is between two nodes.
  if (metric == "wire_gb_s" && series.tuning && nodes > 1 &&
      series.tuning->wire_gb_s.value_or(0) <= series.busbw_gb_s)
    return series.tuning->wire_gb_s;
  return std::nullopt;
}

// Of several launches the worst: how much of the joint median's rate it has.
double worst_share(const Series& series) {
  double share = 1;
  for (const auto& launch : series.launches)
    if (launch.p50_us > 0) share = std::min(share, series.time_us.p50 / launch.p50_us);
  return share;
}

// All bytes over all of the time, as a share of the median's rate. One rank has no bus bandwidth, since
// nothing crosses, and so only its iterations' own time.
double overall_of(const Series& series, const Observation& seen) {
  if (series.busbw_gb_s > 0) return seen.wall_busbw_gb_s / series.busbw_gb_s;
  return seen.timed_s > 0 ? static_cast<double>(series.samples) * series.time_us.p50 / 1e6 / seen.timed_s : 0;
}

// `rate`: of the median, in the unit of the bound; the other rates stand to it as busbw does to its own
// median.
Evidence evidence_of(const Series& series, const Observation& seen, double rate) {
  return {.iterations = series.samples,
          .untimed = seen.untimed,
          .timed_s = seen.timed_s,
          .wall_s = seen.wall_s,
          .median = rate,
          .overall = overall_of(series, seen) * rate,
          .typical_s = series.time_us.p50 / 1e6,
          .longest_s = seen.longest_us / 1e6,
          .correlation_s = seen.correlation_s,
          .block_s = seen.block_s,
          .blocks = seen.blocks,
          .blocks_reached = seen.blocks_reached,
          .slices = seen.slices,
          .slices_reached = seen.slices_reached,
          .end_share = seen.end_share,
          .drift = seen.drift,
          .drift_z = seen.drift_z};
}

}  // namespace

namespace {

// Four digits say enough, of a small bound too.
std::string figure(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4g", value);
  return text.data();
}

}  // namespace

std::string not_shown_to_meet(const Series& series, int nodes, const Threshold& asked,
                              const Confidence& confidence, bool admission) {
  const bool by_time = asked.time_us.has_value();
  const double bound = by_time ? *asked.time_us : *asked.busbw_gb_s;
  if (!series.threshold) return "was not judged, and the policy asks for " + asked.asked;
  const Judgement& said = *series.threshold;
  if ((said.metric == "time_us") != by_time || std::fabs(said.bound - bound) > 1e-9 * std::fabs(bound))
    return "was judged against " + figure(said.bound) + " " + printable(said.metric, 40) +
           ", and the policy asks for " + asked.asked;
  const auto value = value_of(series, nodes, said.metric);
  if (!value || !(*value > 0) || !std::isfinite(*value))
    return "has no " + printable(said.metric, 40) + " to judge by";
  const double worst = by_time ? *value / worst_share(series) : *value * worst_share(series);
  if (by_time ? worst > bound : worst < bound)
    return "is said to pass, and has " + figure(worst) + " where the policy asks for " + asked.asked;
  if (!series.observation) return "does not show what its threshold was judged by";
  const Ruling ruling = rule_on(evidence_of(series, *series.observation, by_time ? 1e6 / *value : *value),
                                {.bound = by_time ? 1e6 / bound : bound,
                                 .false_admit = confidence.false_admit,
                                 .false_reject = confidence.false_reject,
                                 .batch_s = confidence.batch_s,
                                 .observe_s = admission ? confidence.observe_s : said.observe_s,
                                 .stall_s = confidence.stall_s});
  if (ruling.conclusion == Conclusion::at_least) return {};
  return "is said to pass; judged again from what it shows it is " +
         std::string(ruling.conclusion == Conclusion::below ? "below the bound" : "undecided") +
         (ruling.doubt == Doubt::none ? "" : " (" + std::string(to_string(ruling.doubt)) + ")");
}

}  // namespace mlc
