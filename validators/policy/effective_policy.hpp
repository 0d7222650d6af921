// A policy as it is taken, with what it leaves to defaults.
#pragma once

#include <string>

#include "validators/policy/policy.hpp"

namespace mlc {

// YAML that says the same as the policy's own text and spells out every default; behind each value, as a
// comment, the line that has it or "default", and under each section what it does not ask for. Pure.
std::string effective_policy(const Policy& policy);

}  // namespace mlc
