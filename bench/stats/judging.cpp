#include "bench/stats/judging.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "bench/stats/statistics.hpp"

namespace mlc {

namespace {

constexpr std::array<std::pair<Doubt, std::string_view>, 8> doubts{{{Doubt::none, "none"},
                                                                    {Doubt::clock, "clock"},
                                                                    {Doubt::too_short, "too_short"},
                                                                    {Doubt::noise, "noise"},
                                                                    {Doubt::stalls, "stalls"},
                                                                    {Doubt::stall, "stall"},
                                                                    {Doubt::end_below, "end_below"},
                                                                    {Doubt::falling, "falling"}}};

constexpr std::size_t most_stretches = 16'384;
constexpr double slices = 20;
// Noise that is seen to be dependent is watched at least this long by the quick mode, too.
constexpr double dependent_s = 2;
// Below this the thirds' blocks differ beyond chance (one in a hundred), if the rates fall.
constexpr double fall_z = -2.3;
// From the middle of the last third to as much time again: 7/6 of a time in which 2/3 changed the drift;
// the middle of the last third lies half a drift from the median.
constexpr double drifts_ahead = 7.0 / 6 / (2.0 / 3) + 0.5;

double rate_of(const TimedWork& stretch) { return stretch.work / stretch.seconds; }

// Whole blocks of at least `length` seconds.
std::vector<double> block_rates(std::span<const TimedWork> stretches, double length) {
  std::vector<double> rates;
  TimedWork block;
  for (const TimedWork& stretch : stretches) {
    block.work += stretch.work, block.seconds += stretch.seconds;
    if (block.seconds < length * (1 - 1e-9)) continue;
    rates.push_back(rate_of(block));
    block = {};
  }
  return rates;
}

std::uint64_t count_reached(std::span<const double> rates, double bound) {
  return static_cast<std::uint64_t>(std::ranges::count_if(rates, [&](double rate) { return rate >= bound; }));
}

// The least share that reaches the bound, of all rates and of the last 5, 10, 20 ...
double end_share(std::span<const double> rates, double bound) {
  const auto share = [&](std::span<const double> part) {
    return part.empty() ? 0
                        : static_cast<double>(count_reached(part, bound)) / static_cast<double>(part.size());
  };
  double least = share(rates);
  for (std::size_t size = 5; 2 * size <= rates.size(); size *= 2)
    least = std::min(least, share(rates.last(size)));
  return least;
}

// As many blocks as a pass needs when every one of them reaches the bound, and half as many again.
double enough_blocks(double false_admit) {
  std::uint64_t least = 1;
  while (log_e_value(least, 0) < -std::log(false_admit))
    ++least;
  return std::ceil(1.5 * static_cast<double>(least));
}

// Mann and Whitney's U of `late` against `early` as a normal deviate, ties at half; below zero: late is less.
double rank_sum_z(std::span<const double> early, std::span<const double> late) {
  std::vector<double> sorted(early.begin(), early.end());
  std::ranges::sort(sorted);
  double u = 0;
  for (double value : late) {
    const auto [from, to] = std::ranges::equal_range(sorted, value);
    u += static_cast<double>(from - sorted.begin()) + static_cast<double>(to - from) / 2;
  }
  const auto n = static_cast<double>(early.size()), m = static_cast<double>(late.size());
  return (u - n * m / 2) / std::sqrt(n * m * (n + m + 1) / 12);
}

}  // namespace

std::string_view to_string(Doubt doubt) { return doubts[static_cast<std::size_t>(doubt)].second; }

double correlation_time(std::span<const TimedWork> stretches) {
  double total = 0, longest = 0;
  for (const TimedWork& stretch : stretches)
    total += stretch.seconds;
  if (stretches.empty()) return 0;
  for (double length = total / static_cast<double>(stretches.size());; length *= 2) {
    const std::vector<double> rates = block_rates(stretches, length);
    if (rates.size() < 8) return longest;
    const auto n = static_cast<double>(rates.size());
    const double rho = (n * lag1_autocorrelation(rates) + 1) / (n - 3);
    // Above 0.8 a longer block says it better.
    if (rho > 0.1 + 2 / std::sqrt(n)) longest = std::max(longest, -total / n / std::log(std::min(rho, 0.8)));
  }
}

Ruling rule_on(const Evidence& e, const JudgingRules& rules) {
  const bool admission = rules.observe_s > 0;
  // Slowest ranks' times add up to more than passed where ranks are not in step, but not to twice as much.
  if (e.untimed > 0 || e.timed_s > 2 * e.wall_s) return {Conclusion::undecided, Doubt::clock};
  if (admission && e.wall_s < rules.observe_s) return {Conclusion::undecided, Doubt::too_short};
  const Conclusion counted = sign_test(e.blocks_reached, e.blocks, rules.false_admit, rules.false_reject);
  if (counted == Conclusion::below) return {Conclusion::below, Doubt::none};
  if (counted == Conclusion::undecided)
    return {Conclusion::undecided,
            e.overall < std::min(rules.bound, 0.95 * e.median) ? Doubt::stalls : Doubt::noise};
  if (e.overall < rules.bound) {
    const Conclusion parts = sign_test(e.slices_reached, e.slices, rules.false_admit, rules.false_reject);
    return {parts == Conclusion::below ? Conclusion::below : Conclusion::undecided, Doubt::stalls};
  }
  if (admission && e.longest_s > e.typical_s + rules.stall_s) return {Conclusion::undecided, Doubt::stall};
  if (e.end_share < 0.5) return {Conclusion::undecided, Doubt::end_below};
  if (admission && e.drift_z < fall_z && e.median * (1 + drifts_ahead * e.drift) < rules.bound)
    return {Conclusion::undecided, Doubt::falling};
  return {Conclusion::at_least, Doubt::none};
}

bool is_final(const Ruling& ruling) {
  return ruling.conclusion != Conclusion::undecided || ruling.doubt == Doubt::clock ||
         ruling.doubt == Doubt::stall;
}

Conclusion over_launches(std::span<const Conclusion> launches) {
  const auto below = std::ranges::count(launches, Conclusion::below);
  if (below > 1 || (below == 1 && launches.size() == 1)) return Conclusion::below;
  const auto reached = std::ranges::count(launches, Conclusion::at_least);
  return reached > 0 && static_cast<std::size_t>(reached) == launches.size() ? Conclusion::at_least
                                                                             : Conclusion::undecided;
}

Judging::Judging(const JudgingRules& rules) : rules_(rules), fine_s_(rules.batch_s / 16) {
  (void)sign_test(0, 0, rules.false_admit, rules.false_reject);  // refuses impossible rates
}

void Judging::keep(double work, double seconds) {
  if (stretches_.empty() || stretches_.back().seconds >= fine_s_) {
    if (stretches_.size() >= most_stretches) {
      for (std::size_t i = 0; 2 * i + 1 < stretches_.size(); ++i)
        stretches_[i] = {stretches_[2 * i].work + stretches_[2 * i + 1].work,
                         stretches_[2 * i].seconds + stretches_[2 * i + 1].seconds};
      stretches_.resize(stretches_.size() / 2);
      fine_s_ = std::max(2 * fine_s_, 2 * timed_s_ / static_cast<double>(most_stretches));
    }
    stretches_.emplace_back();
  }
  stretches_.back().work += work, stretches_.back().seconds += seconds;
}

void Judging::add(double work, double seconds) {
  ++iterations_;
  if (!(seconds > 0 && std::isfinite(seconds))) {
    ++untimed_;
    return;
  }
  ++since_, since_s_ += seconds;
  work_ += work, timed_s_ += seconds, longest_s_ = std::max(longest_s_, seconds);
  keep(work, seconds);
}

void Judging::took(double wall_s) {
  if (!(wall_s > 0 && std::isfinite(wall_s))) {
    untimed_ += since_;
  } else {
    wall_s_ += wall_s;
    const double stalled = wall_s - since_s_ - static_cast<double>(since_) * usual_wait_s;
    if (stalled > 0 && !stretches_.empty()) {
      stretches_.back().seconds += stalled;
      stalled_s_ += stalled, longest_s_ = std::max(longest_s_, stalled);
    }
  }
  since_ = 0, since_s_ = 0;
}

double Judging::block_length(double correlation_s, std::span<const double> batches, bool last) const {
  const auto [least, most] = std::ranges::minmax(batches);
  const double range = most - least;
  // What the rates did so far, four times over, would not take them to the other side of the bound: then it
  // does not matter whether they depend on one another.
  if (least - rules_.bound >= 4 * range || rules_.bound - most > 4 * range) return rules_.batch_s;
  const double independent = 3 * correlation_s;  // 0.05 of the correlation is left
  const double room = observed_s() / enough_blocks(rules_.false_admit);
  const bool patient = last || observed_s() >= (rules_.observe_s > 0 ? rules_.observe_s : dependent_s);
  return std::max(rules_.batch_s, patient ? std::min(independent, room) : independent);
}

void Judging::judge_blocks(Evidence& e, std::span<const double> rates) const {
  e.blocks = rates.size(), e.blocks_reached = count_reached(rates, rules_.bound);
  e.end_share = end_share(rates, rules_.bound);
  const std::size_t third = rates.size() / 3;
  if (third >= 4) e.drift_z = rank_sum_z(rates.first(third), rates.last(third));
}

Evidence Judging::evidence(bool last) const {
  Evidence e{.iterations = iterations_, .untimed = untimed_, .timed_s = timed_s_, .wall_s = observed_s()};
  if (stretches_.empty()) return e;
  e.overall = work_ / (timed_s_ + stalled_s_), e.longest_s = longest_s_;
  std::vector<double> rates = block_rates(stretches_, 0);
  e.median = median(rates);
  e.typical_s = e.median > 0 ? work_ / static_cast<double>(iterations_ - untimed_) / e.median : 0;
  const std::vector<double> parts = block_rates(stretches_, (timed_s_ + stalled_s_) / slices);
  e.slices = parts.size(), e.slices_reached = count_reached(parts, rules_.bound);
  if (const std::size_t third = rates.size() / 3; third > 0) {
    const double first = median({rates.begin(), rates.begin() + static_cast<std::ptrdiff_t>(third)});
    e.drift =
        first > 0 ? median({rates.end() - static_cast<std::ptrdiff_t>(third), rates.end()}) / first - 1 : 0;
  }
  const std::vector<double> batches = block_rates(stretches_, rules_.batch_s);
  if (batches.empty()) return e;
  e.correlation_s = correlation_time(stretches_);
  e.block_s = block_length(e.correlation_s, batches, last);
  judge_blocks(e, e.block_s > rules_.batch_s ? block_rates(stretches_, e.block_s) : batches);
  // Of batches, too: a fall in the last moments makes the noise look correlated, and the blocks too long for
  // it.
  e.end_share = std::min(end_share(batches, rules_.bound), e.blocks > 0 ? e.end_share : 1);
  return e;
}

}  // namespace mlc
