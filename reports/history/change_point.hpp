// Where a series of readings changes its level (statistics.md, section 3). Pure.
//
// A window of readings is split where the two sides differ most by energy distance (E-divisive: Matteson and
// James 2014), and the split stands if Student's t is significant at p < 1e-5 and the step matters. The small
// p pays for having chosen the best of all splits: at 1e-3 white noise would alarm in 2 % of the windows.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace mlc {

struct ChangeOptions {
  std::size_t window = 50;  // readings looked at together
  std::size_t least = 3;    // readings on each side: one wild reading is no change
  double p = 1e-5;
  double magnitude = 0.01;      // least step of ln(value): 1 %, and
  double magnitude_in_mad = 2;  // at least so many median absolute deviations
};

struct ChangePoint {
  std::size_t index = 0;  // the first reading after the change
  double before = 0;      // medians of the two sides, in the series' own unit
  double after = 0;
  double p = 1;
  bool operator==(const ChangePoint&) const = default;
};

// The one change of a window, if there is one.
std::optional<ChangePoint> find_change(std::span<const double> window, const ChangeOptions& options = {});

// All changes of a long series: windows that overlap by half; each change begins a new baseline.
std::vector<ChangePoint> find_changes(std::span<const double> series, const ChangeOptions& options = {});

double median_of(std::vector<double> values);  // NaN for none

}  // namespace mlc
