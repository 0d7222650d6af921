// What a verdict wants, with all that this program knows of checks and collectives.
#pragma once

#include "validators/deciding/decide.hpp"

namespace mlc {

Wanted with_all_known(Wanted wanted);

// Of a run of that kind under the policy, on whatever node.
Wanted wanted_by(const Policy& policy, RunKind kind);

}  // namespace mlc
