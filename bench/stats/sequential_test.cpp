#include "bench/stats/sequential_test.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace mlc {

namespace {

double log_mean_exp(const std::array<double, 64>& logs) {
  const double most = *std::max_element(logs.begin(), logs.end());
  double sum = 0;
  for (double x : logs)
    sum += std::exp(x - most);
  return most + std::log(sum / static_cast<double>(logs.size()));
}

struct Steps {
  std::array<double, 64> hit{}, miss{};  // ln 2 p_k and ln 2 (1 - p_k)
  Steps() {
    for (std::size_t k = 0; k < hit.size(); ++k) {
      const double p = 0.5 + (static_cast<double>(k) + 0.5) / (2 * static_cast<double>(hit.size()));
      hit[k] = std::log(2 * p), miss[k] = std::log(2 * (1 - p));
    }
  }
};

}  // namespace

SequentialTest::SequentialTest(double bound, double alpha, double beta)
    : bound_(bound), log_admit_(-std::log(alpha)), log_reject_(-std::log(beta)) {
  if (!(alpha > 0 && alpha < 1 && beta > 0 && beta < 1))
    throw std::invalid_argument("error rates must be between 0 and 1");
}

void SequentialTest::add(double sample) {
  static const Steps steps;
  const bool reached = sample >= bound_;
  for (std::size_t k = 0; k < plus_.size(); ++k) {
    plus_[k] += reached ? steps.hit[k] : steps.miss[k];
    minus_[k] += reached ? steps.miss[k] : steps.hit[k];
  }
  ++samples_;
  if (answer_ != Answer::undecided) return;
  if (log_e_plus() >= log_admit_)
    answer_ = Answer::at_least;
  else if (log_e_minus() >= log_reject_)
    answer_ = Answer::below;
}

double SequentialTest::log_e_plus() const { return log_mean_exp(plus_); }
double SequentialTest::log_e_minus() const { return log_mean_exp(minus_); }

}  // namespace mlc
