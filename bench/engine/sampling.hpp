// The iterations of one cell: when there are enough of them, and what they come to. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/engine/runner.hpp"
#include "bench/engine/verdict_of_cell.hpp"

namespace mlc {

inline constexpr double window_seconds = 0.05, longest_window_seconds = 0.25;
inline constexpr int most_in_window = 5000, least_in_window = 5, enough_in_window = 20;

// What one cell has come to so far. The leader's is complete.
struct Sampling {
  std::vector<double> samples, own;  // seconds an iteration: as timing.hpp says, and this rank's own
  std::uint64_t slowest = 0;         // iterations in which this rank was
  double typical = 0;                // seconds; 0: not known yet
  double start = 0;
  double window_s = window_seconds;  // iterations that follow each other, verification before and after
  std::string stop;
  std::optional<CellJudge> judge;
};

// How many iterations next; 0 ends the cell, and sampling.stop then says why.
int next_iterations(Sampling& sampling, const RunnerOptions& options, double elapsed_s);

std::string so_far(const Sampling& sampling);  // "1.23 ms ± 4.5 %"

// Of which cell it is, and no figure.
Series named_series(const Cell& cell, int ranks);

// Everything that follows from the times. Times that are none (a clock that stands still) make no bandwidth.
Series series_of(const Cell& cell, const Sampling& sampling, int ranks, const RunnerOptions& options);

// In words, where the first iteration took far longer than the others.
std::optional<std::string> slow_start(const Sampling& sampling);

}  // namespace mlc
