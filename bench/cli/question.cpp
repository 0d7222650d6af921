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

std::optional<Question> question_for(const Cell& cell, const Policy& policy, const RunShape& shape,
                                     bool admission) {
  const Threshold* threshold = strictest_threshold(as_measured(cell, shape.ranks), policy, shape);
  if (!threshold) return std::nullopt;
  return Question{.metric = threshold->time_us ? Question::Metric::time_us : Question::Metric::busbw_gb_s,
                  .bound = threshold->time_us ? *threshold->time_us : *threshold->busbw_gb_s,
                  .false_admit = policy.confidence.false_admit,
                  .false_reject = policy.confidence.false_reject,
                  .max_batches = policy.confidence.max_batches,
                  .batch_s = policy.confidence.batch_s,
                  .observe_s = admission ? policy.confidence.observe_s : 0,
                  .stall_s = policy.confidence.stall_s};
}

const char* thresholds_explained() {
  return R"(thresholds: how a bandwidth or a time that a policy asks for is decided

blocks     Iterations are put together in blocks of at least `batch` (20 ms), and at least three times
           as long as their noise is seen to be correlated, as far as there is room for twenty of them.
           Each block reaches the bound or does not; a sequential sign test counts: at most
           `false_admit` (0.001) of the nodes whose median is below the bound pass, at most
           `false_reject` (0.01) of those at or above it fail. The rest is inconclusive, never a pass.
beside it  All bytes over all time must reach the bound too (a rank that stalls is not seen by a median),
           and so must the last blocks (a GPU that throttles). A clock that jumps back or stands still
           makes it inconclusive.
quick      The default: it ends as soon as there is a conclusion, for a clear node after 13 batches, at
           most after `max_batches` (60) or 20 s. It promises nothing about what it cannot see in that
           time: noise that lasts longer than about half a second, heat, a fault that comes and goes,
           another launch with other paths.
admission  --admission, which burnin gives its stages: nothing is concluded on less than `observe`
           (30 s; at most three times that), nothing passes where an iteration exceeds the median by more
           than `stall` (500 ms) or where the rate falls so that it would be below the bound after as much
           time again. A stage with several `launches` passes if every one does; if one of them alone falls
           short it is inconclusive, if two do it fails. What begins after all that is not seen.

In a policy: confidence: {false_admit: 0.001, false_reject: 0.01, batch: 20 ms, max_batches: 60,
observe: 30 s, stall: 500 ms}. How often it errs over which noise: docs/error_rates.md.
)";
}

}  // namespace mlc
