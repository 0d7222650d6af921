// What a run on a node is for. It decides which of the policy's sections is run, what a report has to show,
// and what its verdict may do to the node.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "validators/policy/burnin_plan.hpp"

namespace mlc {

struct Policy;

enum class RunKind {
  burnin,   // the local stages: gives and takes; where the policy has a `fabric` section, hands over to that
  health,   // lighter, on a free node: renews and takes away, never gives
  passive,  // a look without load, on busy nodes too: extends a pass and can raise doubt
  fabric,   // with other nodes, after the local stages passed: gives and takes
};

inline constexpr std::array run_kinds{RunKind::burnin, RunKind::health, RunKind::passive, RunKind::fabric};

// As the policy's section, `run.plan` of a report and the option are called.
std::string_view to_string(RunKind kind);
std::optional<RunKind> parse_run_kind(std::string_view text);

// Gives admission where it passes, and so observes for longer than a look does.
constexpr bool admits(RunKind kind) { return kind == RunKind::burnin || kind == RunKind::fabric; }

// The policy's section: what such a run does.
const std::optional<BurninPlan>& section_of(const Policy& policy, RunKind kind);

// What the report of such a run has to show. That of a fabric run holds the node's local stages too, since
// only both together admit. Empty where the policy has no such section.
std::optional<BurninPlan> wanted_plan(const Policy& policy, RunKind kind);

}  // namespace mlc
