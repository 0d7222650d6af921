// A campaign to show: simulated from a fixed seed, the same everywhere.
#pragma once

#include <string>

#include "reports/record/report.hpp"

namespace mlc::test {

// 48 nodes of four rails in leaves of 16 with eight uplinks: n7 sends a fifth less over rail 2, one uplink of
// rail 1 is slow, n20's rail 3 is dead and n33 is lost. `uplinks_known`: else only its leaves are.
Report campaign_report(bool uplinks_known);

}  // namespace mlc::test
