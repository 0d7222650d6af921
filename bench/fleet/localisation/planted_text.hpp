// Faults to plant, as they are typed: "node=7,rail=2,loss=10%,direction=tx". Pure.
#pragma once

#include <string_view>

#include "bench/fleet/localisation/world.hpp"

namespace mlc::fleet {

// Keys: node, rail, leaf, uplink; direction (tx, rx or both of a rail, up or down of an uplink); one of slow,
// loss (a share) and dead=yes; counted=yes; duty (a share) and period (seconds) of what comes and goes;
// round, from which it is there. Throws std::invalid_argument, which says what is wrong: a key unknown, twice
// or missing, a number that the fleet has not.
Planted planted_from(std::string_view text, const WorldKnobs& knobs);

}  // namespace mlc::fleet
