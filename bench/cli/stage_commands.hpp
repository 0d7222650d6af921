// The commands that a policy's plans are made of, held against this program's own command line.
#pragma once

#include <string>

#include "validators/policy/policy.hpp"

namespace mlc {

// As named_policy(), for whoever runs its plans or believes what they left. Throws PolicyError for a stage
// whose command this program would refuse, and for one that no verdict on a node can rest on: of another
// machine (`validate --root`), without verification (-c 0), or with what burnin gives each stage itself.
Policy policy_with_plans(const std::string& name_or_path);

}  // namespace mlc
