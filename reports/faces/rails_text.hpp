// The rails of a report as people read them: one line a rail, alone and together, with shares, siblings and
// what its counters did.
#pragma once

#include <string>

#include "reports/record/report.hpp"
#include "reports/record/style.hpp"

namespace mlc {

// Empty where no rail was measured.
std::string rails_text(const Report& report, const Style& style);
// What to do next about each rail that is not as it should be, a line each.
std::string rail_remedies(const Report& report, const Style& style);
// "4 rails of 2 nodes, every byte as it had to be"
std::string rails_measured(const Report& report);

}  // namespace mlc
