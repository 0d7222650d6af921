// The table people read. Streams: heading, a row when a series is done, the ending.
#pragma once

#include <string>

#include "reports/record/report.hpp"
#include "reports/record/style.hpp"

namespace mlc {

// What the table says once instead of in every row.
struct TableHead {
  std::string collective;
  bool several_dtypes = false, several_redops = false, both_placements = false, judged = false;
};

std::string table_heading(const Run& run, const TableHead& head, const std::string& what, const Style& style);
std::string table_row(const Series& series, const TableHead& head, const Style& style);
std::string table_ending(const Report& report, const TableHead& head, const Style& style);

// The whole report at once: every collective's table, then the ending.
std::string to_text(const Report& report, const Style& style);

// "error: WHAT\n  hint: ...": for stderr.
std::string error_text(const ErrorEntry& error, const Style& style);

}  // namespace mlc
