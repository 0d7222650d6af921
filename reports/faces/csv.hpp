// Tidy tables of a report, RFC 4180, each with a header: one line a series, a rail, a finding. That of the
// series streams: the header, then a line when a series is done.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "reports/faces/csv_row.hpp"
#include "reports/record/report.hpp"

namespace mlc {

struct CsvTable {
  std::string_view name;   // of --table
  std::string_view about;  // what a line is
  std::string (*render)(const Report& report);
};

const std::vector<CsvTable>& csv_tables();
const CsvTable* find_csv_table(std::string_view name);

std::string csv_header();
std::string csv_line(const Run& run, const Series& series);
// The named table (csv_tables()); "": the series, or of a report that has none its rails, or its findings.
std::string csv_table(const Report& report, std::string_view name);
std::string to_csv(const Report& report);  // that one

}  // namespace mlc
