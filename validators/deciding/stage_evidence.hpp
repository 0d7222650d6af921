// Whether a report shows of one stage what the policy has it run. Pure.
#pragma once

#include <string>
#include <vector>

#include "validators/deciding/decide.hpp"

namespace mlc {

// What the policy asks of a node that no machine can skip.
std::vector<std::string> always_tested(const Policy& policy);

// Could this series be of this stage, as its command asks for it?
bool is_of(const Series& series, const BurninStage& stage);

// A sentence for each thing that the stage should have left in the report and did not.
std::vector<std::string> missing_of(const Report& report, const Policy& policy, const Wanted& wanted,
                                    const BurninStage& stage);

}  // namespace mlc
