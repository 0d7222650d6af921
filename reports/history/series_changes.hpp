// The series of two reports against each other. Pure; compare.hpp says how.
#pragma once

#include <vector>

#include "reports/history/compare.hpp"

namespace mlc {

// In the order of the base report, then what is new.
std::vector<SeriesChange> series_changes(const Report& base, const Report& next, double tolerance);

}  // namespace mlc
