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
  if (question_) test_.emplace(question_->gbit_s, question_->false_admit, question_->false_reject);
}

void RateMeter::start(double now) {
  thin_ = thinning(lag1_autocorrelation(warm_));
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
  const double rate = gbit_s(window_bytes_, now - window_start_);
  window_start_ = now, window_bytes_ = 0;
  if (!started_) {
    warm_.push_back(rate);
    return;
  }
  rates_.push_back(rate);
  merged_sum_ += rate;
  if (++merged_ < thin_) return;
  if (test_ && !decided() && !exhausted()) test_->add(merged_sum_ / merged_);
  merged_ = 0, merged_sum_ = 0;
}

bool RateMeter::decided() const {
  if (test_) return test_->answer() != Answer::undecided;
  if (rates_.size() < 20) return false;
  const auto interval = interval_gbit_s();
  return (interval[1] - interval[0]) / 2 <= precision_ * median_gbit_s();
}

bool RateMeter::exhausted() const {
  return test_ && test_->samples() >= static_cast<std::uint64_t>(question_->max_windows);
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
