// The table of checks. No self-registration: static initialisers vanish from a static library.
#pragma once

#include <span>

#include "validators/checks/check.hpp"

namespace mlc {

std::span<const Check* const> all_checks();

}  // namespace mlc
