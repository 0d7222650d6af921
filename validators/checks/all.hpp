// The table of checks. No self-registration: static initialisers vanish from a static library.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "validators/checks/check.hpp"

namespace mlc {

std::span<const Check* const> all_checks();
std::vector<std::string> check_names();

}  // namespace mlc
