// The shape of a check: read, then judge. `run` reads what it needs through Host and hands plain values to a
// pure judging function of its own file; empty input is unknown, never pass.
#pragma once

#include <string_view>
#include <vector>

#include "reports/record/finding.hpp"
#include "validators/policy/policy.hpp"

namespace mlc {

class Host;  // validators/host/host.hpp: what a check may see

struct Check {
  std::string_view name;     // "room.subject", kebab case
  std::string_view summary;  // one line: what is true of a fit node
  std::string_view why;      // what goes wrong in training when it is not
  std::string_view reads;    // where the facts come from
  std::string_view fix;      // how to mend it
  std::string_view keys;     // of the policy's `node` section, that it judges: "rails.count rails.board"
  std::vector<Finding> (*run)(const Host& host, const Policy& policy) = nullptr;
};

}  // namespace mlc
