// `explain fleet`: what a campaign says, and when. Pure.
#pragma once

#include <string>

#include "bench/fleet/localisation/judgement.hpp"

namespace mlc::fleet {

std::string fleet_explained(const Rules& rules);

}  // namespace mlc::fleet
