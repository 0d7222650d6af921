// Findings, series and errors to one verdict. Pure.
#pragma once

#include "reports/record/report.hpp"
#include "validators/policy/policy.hpp"

namespace mlc {

// Fail: wrong data, a failed threshold or a failed finding. Inconclusive: anything undecided, unmeasured or
// unknown (if the policy says that unknown blocks), any error, or nothing tested at all. Pass otherwise.
// `unmeasured` names thresholds that apply to this run but found no series to judge.
Verdict decide(const Report& report, const Policy& policy, const std::vector<std::string>& unmeasured);

}  // namespace mlc
