#include "bench/stats/sequential_test.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

namespace mlc {

namespace {

constexpr std::size_t mixture = 64;  // K

struct Steps {
  std::array<double, mixture> hit{}, miss{};  // ln 2 p_k and ln 2 (1 - p_k)
  Steps() {
    for (std::size_t k = 0; k < mixture; ++k) {
      const double p = 0.5 + (static_cast<double>(k) + 0.5) / (2 * static_cast<double>(mixture));
      hit[k] = std::log(2 * p), miss[k] = std::log(2 * (1 - p));
    }
  }
};

}  // namespace

double log_e_value(std::uint64_t on_its_side, std::uint64_t others) {
  static const Steps steps;
  std::array<double, mixture> logs{};
  for (std::size_t k = 0; k < mixture; ++k)
    logs[k] = static_cast<double>(on_its_side) * steps.hit[k] + static_cast<double>(others) * steps.miss[k];
  const double most = *std::ranges::max_element(logs);
  double sum = 0;
  for (double x : logs)
    sum += std::exp(x - most);
  return most + std::log(sum / static_cast<double>(mixture));
}

Conclusion sign_test(std::uint64_t reached, std::uint64_t samples, double alpha, double beta) {
  if (!(alpha > 0 && alpha < 1 && beta > 0 && beta < 1))
    throw std::invalid_argument("error rates must be between 0 and 1");
  const std::uint64_t missed = samples - reached;
  if (log_e_value(reached, missed) >= -std::log(alpha)) return Conclusion::at_least;
  if (log_e_value(missed, reached) >= -std::log(beta)) return Conclusion::below;
  return Conclusion::undecided;
}

}  // namespace mlc
