// The table of checks. No self-registration: static initialisers vanish from a static library.
#pragma once

#include <span>
#include <vector>

#include "validators/checks/check.hpp"
#include "validators/policy/known_check.hpp"

namespace mlc {

std::span<const Check* const> all_checks();
std::vector<KnownCheck> known_checks();

}  // namespace mlc
