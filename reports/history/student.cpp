#include "reports/history/student.hpp"

#include <cmath>

namespace mlc {

namespace {

// The regularized incomplete beta function by its continued fraction (Lentz's method; DLMF 8.17.22).
double incomplete_beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2))
    return 1 - incomplete_beta(b, a, 1 - x);  // where the fraction converges fast
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  constexpr double tiny = 1e-300;
  double f = 1, c = 1, d = 0;
  for (int i = 0; i <= 300; ++i) {
    const int m = i / 2;
    const double numerator = i == 0       ? 1
                             : i % 2 == 0 ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
                                          : -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 + numerator * d;
    d = 1 / (std::abs(d) < tiny ? tiny : d);
    c = 1 + numerator / c;
    if (std::abs(c) < tiny) c = tiny;
    f *= c * d;
    if (std::abs(1 - c * d) < 1e-14) break;
  }
  return front * (f - 1) / a;
}

}  // namespace

double student_two_sided(double t, double freedom) {
  if (std::isnan(t)) return 1;
  if (std::isinf(t)) return 0;
  return incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t));
}

// By bisection, to ten digits: half of what the tail is good to.
double student_quantile(double upper_tail, double freedom) {
  double low = 0, high = 1;
  for (; student_two_sided(high, freedom) > 2 * upper_tail && high < 1e300; high *= 2)
    low = high;
  while (high - low > 1e-10 * high) {
    const double middle = (low + high) / 2;
    (student_two_sided(middle, freedom) > 2 * upper_tail ? low : high) = middle;
  }
  return high;
}

}  // namespace mlc
