// Whether a report can bear a verdict on a node: who, when, by which program, under which policy, and all of
// what that policy runs. Pure.
#pragma once

#include <string>
#include <vector>

#include "validators/deciding/decide.hpp"

namespace mlc {

// Each returns a sentence for each thing that `wanted` wants and the report does not have.

// That it is of this node, boot and machine, made under this very policy by this program, in the past.
// Without that it says nothing of the node, good or bad.
std::vector<std::string> missing_provenance(const Report& report, const Policy& policy, const Wanted& wanted);

// The required stages of the plan, as the plan has them, and of each what it saw.
std::vector<std::string> missing_stages(const Report& report, const Policy& policy, const Wanted& wanted);

// The required stages of the plan that ran and failed, in words.
std::vector<std::string> failed_stages(const Report& report, const BurninPlan& plan);

// What the policy asks of a node and nothing in a whole burn-in tested.
std::vector<std::string> never_tested(const Report& report, const Policy& policy, const Wanted& wanted);

// Does the policy ask anything of a node? One that does not can pass none.
// `plan` may be null.
bool asks_of_a_node(const Policy& policy, const BurninPlan* plan);

}  // namespace mlc
