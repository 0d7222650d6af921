// One stage of a burn-in: what was run, and how it ended. Its series and findings carry its name.
#pragma once

#include <string>
#include <vector>

#include "reports/record/finding.hpp"

namespace mlc {

struct StageRecord {
  std::string name;
  std::vector<std::string> command;  // of mlc-bench, as it was run: "validate"
  int launches = 0;                  // that came to a verdict
  Status status = Status::unknown;   // pass, fail, unknown, or skip where it was not asked for
  std::string why;                   // "pass in 3.1 s"
  bool operator==(const StageRecord&) const = default;
};

}  // namespace mlc
