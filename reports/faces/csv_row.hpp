// One line of a table as names and values side by side, so that a header cannot say otherwise than its lines.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reports/record/text.hpp"

namespace mlc {

using CsvRow = std::vector<std::pair<std::string_view, std::string>>;

// RFC 4180.
std::string csv_names(const CsvRow& row);
std::string csv_values(const CsvRow& row);

inline std::string csv_number(double value) { return shortest(value); }
inline std::string csv_number(const std::optional<double>& value) { return value ? shortest(*value) : ""; }
template <class Whole>
std::string csv_whole(const std::optional<Whole>& value) {
  return value ? std::to_string(*value) : "";
}
inline std::string csv_flag(bool value) { return value ? "1" : "0"; }

}  // namespace mlc
