#include "bench/rdma/rates.hpp"

#include <algorithm>

#include "bench/stats/statistics.hpp"

namespace mlc::rdma {

double ceiling_gbit_s(double rail_gbit_s, int mtu, std::uint64_t message_bytes) {
  constexpr double overhead = 82;
  const double payload =
      std::min(static_cast<double>(mtu), static_cast<double>(std::max<std::uint64_t>(message_bytes, 1)));
  return rail_gbit_s * payload / (payload + overhead);
}

double gbit_s(std::uint64_t bytes, double seconds) {
  return seconds > 0 ? static_cast<double>(bytes) * 8 / seconds / 1e9 : 0;
}

RateMeter::RateMeter(double window_s, double precision, const std::optional<RailQuestion>& question)
    : window_s_(window_s), precision_(precision), question_(question) {
  if (question_)
    judging_.emplace(JudgingRules{.bound = question_->gbit_s,
                                  .false_admit = question_->false_admit,
                                  .false_reject = question_->false_reject,
                                  .batch_s = window_s,
                                  .observe_s = question_->observe_s,
                                  .stall_s = question_->stall_s});
}

void RateMeter::start(double now) {
  started_ = true, opened_ = true;
  window_start_ = timed_start_ = last_ = now, window_bytes_ = 0;
}

void RateMeter::add(std::uint64_t bytes, double now) {
  // Bytes that were already under way when the clock started would count too much: the first completion only
  // opens the first window.
  if (!opened_) {
    opened_ = true, window_start_ = now;
    return;
  }
  window_bytes_ += bytes;
  if (started_) timed_bytes_ += bytes, last_ = now;
  if (now - window_start_ >= window_s_) close_window(now);
}

void RateMeter::close_window(double now) {
  const double seconds = now - window_start_, gbit = static_cast<double>(window_bytes_) * 8 / 1e9;
  window_start_ = now, window_bytes_ = 0;
  if (!started_) return;
  rates_.push_back(gbit / seconds);
  if (!judging_) return;
  judging_->add(gbit, seconds);
  if (rates_.size() >= next_look_) look();
}

void RateMeter::look() {
  next_look_ = rates_.size() + 1 + rates_.size() / 50;
  if (judging_->observed_s() < question_->observe_s) return;
  const Evidence evidence = judging_->evidence();
  blocks_ = evidence.blocks, ruling_ = rule_on(evidence, judging_->rules());
}

bool RateMeter::decided() const {
  if (judging_) return is_final(ruling_);
  if (rates_.size() < 20) return false;
  const auto interval = interval_gbit_s();
  return (interval[1] - interval[0]) / 2 <= precision_ * median_gbit_s();
}

bool RateMeter::exhausted() const {
  return judging_ && question_->observe_s == 0 &&
         blocks_ >= static_cast<std::uint64_t>(question_->max_windows);
}

Ruling RateMeter::ruling() const {
  return !judging_ || is_final(ruling_) ? ruling_ : judging_->ruling(/*last=*/true);
}

double RateMeter::median_gbit_s() const { return rates_.empty() ? mean_gbit_s() : median(rates_); }
double RateMeter::mean_gbit_s() const { return gbit_s(timed_bytes_, last_ - timed_start_); }

std::array<double, 2> RateMeter::interval_gbit_s() const {
  if (rates_.empty()) return {mean_gbit_s(), mean_gbit_s()};
  return summarise(rates_).median_ci;
}

std::vector<std::optional<double>> over_siblings(std::span<const double> values) {
  std::vector<std::optional<double>> shares;
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::vector<double> others;
    for (std::size_t j = 0; j < values.size(); ++j)
      if (j != i) others.push_back(values[j]);
    const double middle = others.empty() ? 0 : median(others);
    shares.push_back(middle > 0 ? std::optional(values[i] / middle) : std::nullopt);
  }
  return shares;
}

}  // namespace mlc::rdma
