// How sure a share of a count is. Pure.
#pragma once

#include <array>
#include <cstddef>

namespace mlc::fleet {

// 95 % by Clopper and Pearson (Biometrika 26, 1934): exact, never narrower than it says; of nothing seen in n
// it is the rule of three, 3.7 / n here as both sides are kept. {0, 1} where n is 0.
std::array<double, 2> share_interval(std::size_t count, std::size_t of);

// Of a mean, with so many values, their sum and their sum of squares: normal, 95 %.
std::array<double, 2> mean_interval(double sum, double squares, std::size_t values);

}  // namespace mlc::fleet
