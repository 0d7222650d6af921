#include "validators/policy/run_kind.hpp"

#include <algorithm>

#include "validators/policy/policy.hpp"

namespace mlc {

std::string_view to_string(RunKind kind) {
  switch (kind) {
    case RunKind::burnin:
      return "burnin";
    case RunKind::health:
      return "health";
    case RunKind::passive:
      return "passive";
    case RunKind::fabric:
      return "fabric";
  }
  return "";
}

std::optional<RunKind> parse_run_kind(std::string_view text) {
  const auto found = std::ranges::find_if(run_kinds, [&](RunKind kind) { return to_string(kind) == text; });
  return found == run_kinds.end() ? std::nullopt : std::optional(*found);
}

const std::optional<BurninPlan>& section_of(const Policy& policy, RunKind kind) {
  switch (kind) {
    case RunKind::health:
      return policy.health;
    case RunKind::passive:
      return policy.passive;
    case RunKind::fabric:
      return policy.fabric;
    case RunKind::burnin:
      break;
  }
  return policy.burnin;
}

std::optional<BurninPlan> wanted_plan(const Policy& policy, RunKind kind) {
  std::optional<BurninPlan> plan = section_of(policy, kind);
  if (plan && kind == RunKind::fabric && policy.burnin)
    plan->stages.insert(plan->stages.begin(), policy.burnin->stages.begin(), policy.burnin->stages.end());
  return plan;
}

}  // namespace mlc
