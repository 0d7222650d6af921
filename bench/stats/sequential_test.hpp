// "Is the median at or above the bound?", answered with bounded error rates at any stopping time.
//
// Two one-sided sign e-processes. B_i = [x_i >= bound]. If the median is below the bound, P(B_i) <= 1/2, and
//   E+ = (1/K) sum_k prod_i (2 p_k)^{B_i} (2 (1 - p_k))^{1 - B_i},  p_k = 1/2 + (k - 1/2) / (2 K)
// is a non-negative supermartingale that starts at 1, so by Ville's inequality P(E+ ever reaches 1/alpha) <=
// alpha, however often one looks. E- is the same with B_i reversed. Distribution free; independent samples
// are assumed, hence thinning (statistics.hpp). Same family: Howard and Ramdas, Bernoulli 28(3), 2022.
#pragma once

#include <array>
#include <cstdint>

namespace mlc {

enum class Conclusion { undecided, at_least, below };

class SequentialTest {
 public:
  // alpha: P(at_least | median below), at most. beta: P(below | median at or above), at most. Both in (0, 1).
  SequentialTest(double bound, double alpha, double beta);

  void add(double sample);                       // a sample that is not a number counts against the bound
  Conclusion answer() const { return answer_; }  // once decided, it stays
  std::uint64_t samples() const { return samples_; }
  double log_e_plus() const;
  double log_e_minus() const;

 private:
  static constexpr int mixture = 64;  // K
  double bound_, log_admit_, log_reject_;
  std::array<double, mixture> plus_{}, minus_{};  // logarithms of the products
  std::uint64_t samples_ = 0;
  Conclusion answer_ = Conclusion::undecided;
};

}  // namespace mlc
