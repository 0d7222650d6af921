// Several launches of one measurement, seen as one. Pure.
//
// From launch to launch a median moves by more than its own interval says: where processes sit, which memory,
// ports and paths they got is drawn once a launch, however many samples it takes. So the launch is the unit:
// ln of its median, the spread of that from launch to launch (never taken for less than the launches' own
// samples leave open), and Student's t. What is alike in all launches of a run and not in the next run's
// (heat, neighbours, the day) no number of launches shows.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "reports/record/report.hpp"

namespace mlc {

struct LaunchMedian {
  double value = 0;            // positive, in any unit
  std::array<double, 2> ci{};  // 95 %, from the launch's own samples; zeros: not known
};

struct LaunchSpread {
  std::size_t launches = 0;
  double centre = 0;    // mean of ln(median)
  double variance = 0;  // of one launch's ln(median)
};

LaunchSpread spread_of(std::span<const LaunchMedian> launches);

// exp(centre), and its 95 % interval, which from one launch is all there is: infinite.
double middle_of(const LaunchSpread& spread);
std::array<double, 2> interval_of(const LaunchSpread& spread);

// Of ln(median over / median under), after Welch; P(above) = P(below) = `tail`. Needs two launches a side.
std::array<double, 2> log_ratio_interval(const LaunchSpread& over, const LaunchSpread& under, double tail);

// One launch's medians, or of a series that is of several, each of them.
std::vector<SeriesLaunch> launches_of(const Series& series);

// Launches of the same cell as one series: medians of the launches' figures, extremes of their extremes,
// wrong elements of all, the worst answer to the threshold, and as slowest rank the one that more than half
// of them name. One launch stays as it is. Throws std::invalid_argument on none.
Series joined(std::span<const Series> launches, Renewed renewed);

// The series of several launches, each with the others of its cell, in the order of their first; a cell that
// a launch did not come to is of the others.
std::vector<Series> joined(std::span<const std::vector<Series>> launches, Renewed renewed);

// Runs of the same thing as one report to compare: all series and rails, of each finding the worst. Throws
// std::invalid_argument on none.
Report together(std::vector<Report> runs);

}  // namespace mlc
