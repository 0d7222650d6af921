// Reports that were written before, for the commands that look at them again.
#pragma once

#include <string>

#include "reports/record/report.hpp"

namespace mlc {

// A file, or - for stdin. Throws UsageError if it is not there and std::runtime_error, naming it, if it is no
// report.
Report read_report(const std::string& path);

// The same; a folder is all reports below it, runs of the same thing, taken together. Throws UsageError if it
// has none.
Report read_runs_together(const std::string& path);

}  // namespace mlc
