// Whether a GPU that is being warmed up has come to what it holds: its rate and its clock stand still. Pure.
#pragma once

#include <algorithm>
#include <deque>
#include <optional>

namespace mlc {

class Steadiness {
 public:
  // A rate, in any unit, and the SM clock of that time where it is known.
  void add(double rate, std::optional<double> clock_mhz) {
    rates_.push_back(rate);
    if (rates_.size() > looks) rates_.pop_front();
    if (clock_mhz) clocks_.push_back(*clock_mhz);
    if (clocks_.size() > looks) clocks_.pop_front();
  }

  // The last five are within 1 % of each other; clocks as far as there are any.
  bool steady() const { return rates_.size() == looks && stands(rates_) && stands(clocks_); }

 private:
  static constexpr std::size_t looks = 5;
  static constexpr double within = 0.01;
  static bool stands(const std::deque<double>& values) {
    if (values.empty()) return true;
    const auto [low, high] = std::ranges::minmax(values);
    return high - low <= within * high;
  }
  std::deque<double> rates_, clocks_;
};

}  // namespace mlc
