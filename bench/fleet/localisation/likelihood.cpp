#include "bench/fleet/localisation/likelihood.hpp"

#include <algorithm>
#include <cmath>

namespace mlc::fleet {

namespace {

// Student's t, 5 degrees of freedom: .3796 is Gamma(3) / (sqrt(5 pi) Gamma(5 / 2)).
double student(double x) {
  const double base = 1 + x * x / 5;
  return .3796 / (base * base * base);
}

// P(k of 60 windows are slow) of a healthy flow, one in 200.
double binomial(int k) {
  constexpr double slow = .005;
  const double n = windows_a_test;
  return std::exp(std::lgamma(n + 1) - std::lgamma(k + 1.) - std::lgamma(n - k + 1) + k * std::log(slow) +
                  (n - k) * std::log1p(-slow));
}

struct WindowLogs {
  std::array<double, windows_a_test + 1> healthy, faulty;
};

WindowLogs window_logs() {
  WindowLogs logs{};
  for (int k = 0; k <= windows_a_test; ++k) {
    const double usual = binomial(k);
    logs.healthy[static_cast<std::size_t>(k)] = std::log(.998 * usual + .002 / (windows_a_test + 1));
    // A fault that comes and goes is on for some of the windows, not for most: those set the median.
    logs.faulty[static_cast<std::size_t>(k)] = std::log(.75 * usual + (k >= 3 && k <= 42 ? .25 / 40 : 0));
  }
  return logs;
}

}  // namespace

Logs rate_logs(double rate, double sigma) {
  const double seen = std::min(rate, 1.);
  const double healthy = student((seen - 1) / sigma) / sigma;
  Logs logs{};
  logs[0] = static_cast<float>(std::log(.999 * healthy + .001));
  for (std::size_t s = 0; s < severities.size(); ++s) {
    double faulty = 0;
    if (s != dead_severity) {
      const double width = sigma + .12 * severities[s];
      faulty = student((seen - 1 + severities[s]) / width) / width;
    }
    logs[s + 1] = static_cast<float>(std::log(.97 * faulty + .03 * healthy + .001));
  }
  return logs;
}

Logs flow_logs(double rate, double sigma, int slow_windows) {
  static const WindowLogs windows = window_logs();
  const auto k = static_cast<std::size_t>(std::clamp(slow_windows, 0, windows_a_test));
  Logs logs = rate_logs(rate, sigma);
  logs[0] += static_cast<float>(windows.healthy[k]);
  for (std::size_t s = 1; s < logs.size(); ++s)
    logs[s] += static_cast<float>(windows.faulty[k]);
  return logs;
}

Logs dead_logs() {
  Logs logs{};
  logs.fill(static_cast<float>(std::log(3e-4)));
  logs.back() = static_cast<float>(std::log(.97));
  return logs;
}

}  // namespace mlc::fleet
