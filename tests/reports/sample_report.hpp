// Reports to show: made up from a formula, the same everywhere.
#pragma once

#include "reports/record/report.hpp"

namespace mlc::test {

// Two nodes of eight GPUs, four rails each; rail 2 of gpu-b is half as fast as it should be and rank 11 is
// slow. Has every part that a page can show.
Report sick_report();

// The same run with nothing wrong.
Report healthy_report();

// The same with each rail measured in five launches, as a folder of five runs has it.
Report rails_in_launches(Report report);

// A campaign over `nodes` nodes: a pair matrix, rails, findings per node.
Report fleet_report(int nodes);

// `count` series in sweeps of 20 sizes.
Report sweep_report(int count);

// `text` in every field that takes text.
Report hostile_report(const std::string& text);

}  // namespace mlc::test
