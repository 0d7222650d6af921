// What is not the same about two runs, so that a change may not be the code's. Pure.
#pragma once

#include <string>
#include <vector>

#include "reports/record/report.hpp"

namespace mlc {

struct Difference {
  std::string kind;  // "hardware", "policy", "tool", "software", "run"
  std::string what;  // "GPUs", "driver"
  std::string base, next;
  bool operator==(const Difference&) const = default;
};

// Hardware, policy and tool first.
std::vector<Difference> differences_of(const Report& base, const Report& next);

}  // namespace mlc
