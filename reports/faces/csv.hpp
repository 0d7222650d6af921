// One line a series, RFC 4180, with a header. Streams: the header, then a line when a series is done.
#pragma once

#include <string>
#include <vector>

#include "reports/record/report.hpp"

namespace mlc {

std::string csv_header();
std::string csv_line(const Series& series);
std::string csv_fields(const std::vector<std::string>& fields);  // one line of any table
std::string to_csv(const Report& report);

}  // namespace mlc
