// Two rules for every figure that GPUs of one node share: an absolute bound, and a distance from the node's
// median. A uniformly slow node passes the second, one slow GPU of eight may pass the first. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "reports/record/finding.hpp"

namespace mlc {

struct RateRule {
  std::string check;  // "burnin.hbm-copy"
  std::string unit;   // "GB/s"
  int decimals = 1;
  std::optional<double> bound;
  double spread = 0.02;  // from the median, to the worse side
  bool less_is_better = false;
  std::string source, remedy;
};

struct NamedValue {
  std::string subject;          // "GPU 3 (0000:1b:00.0)"
  std::optional<double> value;  // empty: not measured
};

// One finding a value. Two values judge each other; one alone has only the bound.
std::vector<Finding> judge_rates(const RateRule& rule, std::span<const NamedValue> values);

}  // namespace mlc
