// Findings, series and errors to one verdict: the only way to one. What a report says of itself ("pass", a
// threshold's status) is held against what it shows. Pure.
#pragma once

#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include "reports/record/report.hpp"
#include "validators/policy/known_check.hpp"
#include "validators/policy/known_collective.hpp"
#include "validators/policy/policy.hpp"
#include "validators/policy/run_kind.hpp"

namespace mlc {

struct NodeIdentity {
  std::string name, boot_id, machine_id;  // the last two empty: whoever names the node does not know
};

// What a verdict on a node wants, beside what its policy asks for. What is missing is inconclusive.
struct Wanted {
  // The plan whose required stages must be there, whole and as the policy has them (wanted_plan); empty: a
  // run of one command.
  std::optional<BurninPlan> plan;
  RunKind kind = RunKind::burnin;  // that the plan is of
  bool stage = false;              // one of a plan: what it does not measure another may
  // All there are. A stage that is `validate` and nothing more must have a finding of each, and a burn-in one
  // of each that judges what the policy asks.
  std::vector<KnownCheck> checks;
  // All there are: a stage of one must have a series of each form, dtype, operator and size that it names.
  std::vector<KnownCollective> collectives;
  // Of a report that comes from elsewhere.
  std::optional<NodeIdentity> node;
  std::string version;             // of this program: another one may have measured otherwise
  std::optional<std::time_t> now;  // by the clock of whoever acts on it
  double clock_skew_s = 0;         // between that clock and the node's
};

// Fail: wrong data, a failed threshold or a failed finding. Inconclusive: anything undecided, unverified,
// unmeasured or unknown (if the policy says that unknown blocks), a fault that was planted, any error,
// nothing tested or nothing asked, or what `wanted` wants and the report does not have. Pass otherwise. A
// report that cannot be shown to be of the wanted node, and made as wanted, is inconclusive whatever it says.
//
// A run of one command passes on correct results alone. A verdict on a node (`wanted.plan`, or findings and
// nothing else) needs a policy that asks something of it.
Verdict decide(const Report& report, const Policy& policy, const Wanted& wanted = {});

}  // namespace mlc
