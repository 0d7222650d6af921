// The "figures" key of a report. Absent parts are absent keys.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "reports/record/figures.hpp"

namespace mlc {

nlohmann::ordered_json figures_to_json(const Figures& figures);

// Throws nlohmann::json::exception on a wrong type and ReportError on a shape that contradicts itself, such
// as a matrix of the wrong size.
Figures figures_from_json(const nlohmann::ordered_json& json);

}  // namespace mlc
