// Prometheus text format 0.0.4, for the textfile collector or a scrape: names in base units, one sample a
// series.
#pragma once

#include <string>

#include "reports/record/report.hpp"

namespace mlc {

std::string to_prometheus(const Report& report);

}  // namespace mlc
