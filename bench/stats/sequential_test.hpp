// "Is the median at or above the bound?", answered with bounded error rates at any stopping time.
//
// Two one-sided sign e-processes. B_i = [x_i >= bound]. If the median is below the bound, P(B_i) <= 1/2, and
//   E+ = (1/K) sum_k prod_i (2 p_k)^{B_i} (2 (1 - p_k))^{1 - B_i},  p_k = 1/2 + (k - 1/2) / (2 K),  K = 64
// is a non-negative supermartingale that starts at 1, so by Ville's inequality P(E+ ever reaches 1/alpha) <=
// alpha, however often one looks. E- is the same with B_i reversed. Distribution free; independent samples
// are assumed: judging.hpp makes blocks that are. Same family: Howard and Ramdas, Bernoulli 28(3), 2022.
// Only how many samples reached the bound counts, so a conclusion can be repeated from two numbers.
#pragma once

#include <cstdint>

namespace mlc {

enum class Conclusion { undecided, at_least, below };

// ln E of so many samples on its side and so many on the other.
double log_e_value(std::uint64_t on_its_side, std::uint64_t others);

// alpha: P(ever at_least | median below), at most. beta: P(ever below | median at or above), at most. Throws
// std::invalid_argument unless both are in (0, 1).
Conclusion sign_test(std::uint64_t reached, std::uint64_t samples, double alpha, double beta);

}  // namespace mlc
