// The figures of a GPU burn-in as a table: a line a metric, the GPUs of the node side by side as median and
// worst.
#pragma once

#include <string>

#include "reports/record/report.hpp"
#include "reports/record/style.hpp"

namespace mlc {

// Empty where the report has no GPU results.
std::string gpu_results_text(const Report& report, const Style& style);

}  // namespace mlc
