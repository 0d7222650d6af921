// A policy as every command takes it: read, and nothing in it that this program does not know.
#pragma once

#include <string>

#include "validators/policy/policy.hpp"

namespace mlc {

// NAME of a built-in policy, or a path. Throws PolicyError: as load_policy, and where a threshold or a tier
// names a collective, a dtype or an op that does not exist, which would never be measured.
Policy named_policy(const std::string& name_or_path);

}  // namespace mlc
