// Runs checks and gathers their findings.
#pragma once

#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "reports/record/finding.hpp"
#include "validators/checks/check.hpp"
#include "validators/host/host.hpp"

namespace mlc {

// A name that is neither a check nor a room; what() suggests the nearest.
struct UnknownCheck : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Checks by name or room, in the table's order; all of them for no names. Throws UnknownCheck.
std::vector<const Check*> select_checks(std::span<const std::string> names,
                                        std::span<const Check* const> table);

// Every check on a thread of its own, under its own deadline (policy.node: deadline, deadlines). One that
// throws, hangs or says nothing becomes unknown, and the others go on. What the policy skips says so.
// Findings come in the order of `checks`. A thread that hangs is left behind: it holds what it reads, and
// nothing waits for it.
std::vector<Finding> validate(std::shared_ptr<const Host> host, const Policy& policy,
                              std::span<const Check* const> checks);

// Checks that were left behind still run. They may use what the end of a program takes down, so one that
// ends meanwhile must not tidy up (std::_Exit).
bool checks_left_running();

// The names in `policy.node` that are no check: a typing error there must not silently skip or ask nothing.
void require_known_checks(const Policy& policy, std::span<const Check* const> table);  // throws PolicyError

}  // namespace mlc
