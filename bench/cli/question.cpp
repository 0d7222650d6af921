#include "bench/cli/question.hpp"

namespace mlc {

namespace {

Measured as_measured(const Cell& cell, int ranks) {
  return {.collective = cell.collective->name,
          .dtype = to_string(cell.dtype),
          .redop = cell.collective->reduces ? to_string(cell.redop) : "",
          .placement = to_string(cell.placement),
          .requested_bytes = cell.requested_bytes,
          .bytes = cell.bytes,
          .bus_factor = cell.collective->bus_factor(ranks)};
}

}  // namespace

std::optional<Question> question_for(const Cell& cell, const Policy& policy, const RunShape& shape) {
  const Threshold* threshold = strictest_threshold(as_measured(cell, shape.ranks), policy, shape);
  if (!threshold) return std::nullopt;
  return Question{.metric = threshold->time_us ? Question::Metric::time_us : Question::Metric::busbw_gb_s,
                  .bound = threshold->time_us ? *threshold->time_us : *threshold->busbw_gb_s,
                  .false_admit = policy.confidence.false_admit,
                  .false_reject = policy.confidence.false_reject,
                  .max_batches = policy.confidence.max_batches,
                  .batch_s = policy.confidence.batch_s};
}

}  // namespace mlc
