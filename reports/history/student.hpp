// Student's t distribution. Pure.
#pragma once

namespace mlc {

// P(|T| > |t|) with `freedom` degrees of freedom, which need not be whole.
double student_two_sided(double t, double freedom);

// The t > 0 with P(T > t) = upper_tail, for 0 < upper_tail < 1/2.
double student_quantile(double upper_tail, double freedom);

}  // namespace mlc
