// Rates between pairs of GPUs: which GPU its slow pairs have in common, and which pairs are slow for
// themselves. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/gpu/judge_rates.hpp"
#include "reports/record/figures.hpp"

namespace mlc {

// From GPU i to GPU j at [i * gpus + j], in GB/s.
struct PairRates {
  std::vector<std::string> subjects;          // "GPU 3 (0000:1b:00.0)"
  std::vector<bool> asked;                    // of this pair: both are there, and reach each other
  std::vector<std::optional<double>> values;  // empty: not measured

  std::size_t gpus() const { return subjects.size(); }
};

struct PairJudgement {
  std::vector<Finding> findings;  // one for all where none is slow
  std::vector<Matrix::Culprit> culprits;
};

// A GPU more than half of whose pairs are slow is named, the worst first, and what is slow for its sake is
// not held against the others; then one all of whose pairs are slow one way; then each slow pair that is
// left. Where all pairs are slow, all GPUs are. Empty where no pair was asked.
PairJudgement judge_pairs(const RateRule& rule, const PairRates& rates);

// Wrong bytes from GPU i to GPU j at [i * gpus + j]; empty: that pair moved none. A GPU all of whose pairs
// are wrong one way is the cause of them; one whose peers all receive wrongly from others too is none. Then
// each wrong pair that is left.
std::vector<Finding> judge_pair_data(const std::vector<std::string>& subjects,
                                     const std::vector<std::optional<std::uint64_t>>& wrong);

}  // namespace mlc
