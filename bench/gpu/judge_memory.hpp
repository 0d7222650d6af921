// What the memory test found, localised: which words and bits, and whether the cell, the path to it, an
// address line or one SM is the likely cause. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/memory_pattern.hpp"
#include "reports/record/finding.hpp"

namespace mlc {

struct MemoryOutcome {
  std::string subject;
  std::uint64_t tested = 0, total = 0;  // bytes
  std::uint64_t rounds = 0;             // of all patterns
  bool lost = false;                    // it did not come to the end: what it showed before is no pass
  const memory::ErrorLog* log = nullptr;
};

// Findings of burnin.memory (no word is wrong) and burnin.memory-tested (enough of it was tested) for each
// GPU.
std::vector<Finding> judge_memory(std::span<const MemoryOutcome> outcomes, double tested_at_least);

// In words. `log` has at least one error. `all_patterns`: random words were swept too, which tell a dead
// address line from a flipped bit.
std::string localise(const memory::ErrorLog& log, bool all_patterns = false);

}  // namespace mlc
