// The reports of stages to the report of the burn-in. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reports/record/report.hpp"
#include "validators/policy/burnin_plan.hpp"
#include "validators/policy/policy.hpp"

namespace mlc {

// How one stage ended, over all its launches.
struct StageOutcome {
  BurninStage stage;
  std::vector<std::string> command;  // as it was run
  Status status = Status::unknown;   // pass, fail, unknown, or skip where it was not asked for
  std::string why;                   // "pass in 3.1 s", "did not fit: ..."
  std::string remedy;
  std::vector<Report> reports;  // by launch, those that there are
};

// Adds what was seen, keeps `merged`'s own tool, run and verdict.
void merge_into(Report& merged, const StageOutcome& outcome);

// One verdict: what the policy's rules make of everything together. A required stage without a verdict keeps
// it from being a pass, whatever the policy lets pass beside it.
Verdict verdict_of(const Report& merged, const std::vector<StageOutcome>& outcomes, const Policy& policy);

}  // namespace mlc
