// The "fleet" key of a report's figures.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "reports/record/fleet_figures.hpp"

namespace mlc {

nlohmann::ordered_json fleet_figures_to_json(const FleetFigures& figures);

// Throws nlohmann::json::exception on a wrong type and ReportError on a shape that contradicts itself, such
// as a test of a node that is not there.
FleetFigures fleet_figures_from_json(const nlohmann::ordered_json& json);

}  // namespace mlc
