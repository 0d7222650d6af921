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
  int decided = 0;              // launches that came to a verdict
};

// The launches of a stage together; each report's verdict follows. The worst of them keeps a threshold from
// being met, but that one of several missed it, and no other, is unknown and not a failure: launches differ,
// and one unlucky one says less than the error rate asks for (bench/stats/judging.hpp, over_launches). Data
// that are wrong and findings that fail stay what they are.
void decide_over_launches(std::vector<Report>& launches, const Policy& policy);

// Adds what was seen, each series and finding with its stage and launch; keeps `merged`'s own tool, run and
// verdict.
void merge_into(Report& merged, const StageOutcome& outcome);

}  // namespace mlc
