// The report as JUnit XML, for CI systems that show tests: a suite per room, one for the series, one for the
// tool. fail is a failure, "could not test" an error, skip a skipped test; warn passes with its text as
// output.
#pragma once

#include <string>

#include "reports/record/report.hpp"

namespace mlc {

std::string to_junit(const Report& report);

}  // namespace mlc
