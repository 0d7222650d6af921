// The report as JSON, by reports/schema/report.v1.json, and back.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

#include "reports/record/report.hpp"

namespace mlc {

// Not a report of ours, or a damaged one. what() says where.
struct ReportError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

nlohmann::ordered_json json_of(const Report& report);
std::string to_json(
    const Report& report);  // two-space indented, with a final newline; broken UTF-8 is replaced
Report report_from_json(
    std::string_view text);  // throws ReportError; unknown keys are ignored (a later minor version)

}  // namespace mlc
