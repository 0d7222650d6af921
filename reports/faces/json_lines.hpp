// JSON Lines: an object a line, for streams. The first has `schema`, `tool` and `run`; then one line an entry
// of the report's lists, as JSON has them ({"series": ...}, {"finding": ...}), and last, when all is over,
// the run with its `verdict`.
#pragma once

#include <string>

#include "reports/record/report.hpp"

namespace mlc {

std::string json_lines_beginning(const Report& report);
std::string json_line(const Series& series);
std::string json_lines_ending(const Report& report);  // all that follows the series
std::string to_json_lines(const Report& report);

}  // namespace mlc
