// "memory:gpu=0,word=1000,bit=3", "sm:gpu=0,sm=17": a fault planted to see that the burn-in finds it.
#pragma once

#include <optional>
#include <string_view>

#include "bench/gpu/burnin.hpp"

namespace mlc {

std::optional<PlantedFault> parse_planted_fault(std::string_view text);

}  // namespace mlc
