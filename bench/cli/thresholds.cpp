#include "bench/cli/thresholds.hpp"

#include <algorithm>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

bool applies_to_run(const Threshold& t, const Collective& collective, const RunShape& shape) {
  return t.collective == collective.name && (t.backend.empty() || t.backend == shape.backend) &&
         (!t.nodes || *t.nodes == shape.nodes) && (!t.ranks || *t.ranks == shape.ranks);
}

bool applies_to_cell(const Threshold& t, const Cell& cell) {
  if (!t.dtype.empty() && parse_dtype(t.dtype) != cell.dtype) return false;
  if (cell.collective->reduces && !t.redop.empty() && parse_redop(t.redop) != cell.redop) return false;
  if (!t.placement.empty() && t.placement != to_string(cell.placement)) return false;
  if (!t.sizes.empty())
    return std::ranges::find(t.sizes, cell.requested_bytes) != t.sizes.end() ||
           std::ranges::find(t.sizes, cell.bytes) != t.sizes.end();
  return cell.bytes >= t.min_size.value_or(0) && cell.bytes <= t.max_size.value_or(UINT64_MAX);
}

}  // namespace

std::vector<std::uint64_t> policy_sizes(const Policy& policy, const Collective& collective,
                                        const RunShape& shape) {
  std::vector<std::uint64_t> sizes;
  for (const auto& t : policy.thresholds)
    if (applies_to_run(t, collective, shape)) sizes.insert(sizes.end(), t.sizes.begin(), t.sizes.end());
  return sizes;
}

std::optional<Question> question_for(const Cell& cell, const Policy& policy, const RunShape& shape) {
  const double busbw_bytes = static_cast<double>(cell.bytes) * cell.collective->bus_factor(shape.ranks);
  std::optional<Question> strictest;
  double strictest_us = 0;
  for (const auto& t : policy.thresholds) {
    if (!applies_to_run(t, *cell.collective, shape) || !applies_to_cell(t, cell)) continue;
    const double us = t.time_us ? *t.time_us : busbw_bytes / (*t.busbw_gb_s * 1e3);
    if (strictest && us >= strictest_us) continue;
    strictest_us = us;
    strictest = Question{.metric = t.time_us ? Question::Metric::time_us : Question::Metric::busbw_gb_s,
                         .bound = t.time_us ? *t.time_us : *t.busbw_gb_s,
                         .false_admit = policy.confidence.false_admit,
                         .false_reject = policy.confidence.false_reject,
                         .max_batches = policy.confidence.max_batches,
                         .batch_s = policy.confidence.batch_s};
  }
  return strictest;
}

std::vector<std::string> unmeasured(const std::vector<Cell>& cells, const Policy& policy,
                                    const Collective& collective, const RunShape& shape) {
  std::vector<std::string> missing;
  for (const auto& t : policy.thresholds) {
    if (!applies_to_run(t, collective, shape)) continue;
    const auto judged = [&](std::uint64_t size) {
      return std::ranges::any_of(cells, [&](const Cell& cell) {
        return applies_to_cell(t, cell) && (size == 0 || cell.requested_bytes == size || cell.bytes == size);
      });
    };
    const auto name = [&](const std::string& size) {
      return t.collective + size + (t.placement.empty() ? "" : " " + t.placement) +
             (t.dtype.empty() ? "" : " " + t.dtype) + ", " + t.asked + " (policy " + policy.name + ")";
    };
    if (t.sizes.empty() && !judged(0)) missing.push_back(name(""));
    for (std::uint64_t size : t.sizes)
      if (!judged(size)) missing.push_back(name(" " + bytes_text(size)));
  }
  // A policy that judges this collective, but not as it was run (over another backend, with a GPU missing),
  // must not look as if it had been satisfied.
  std::string shapes;
  for (const auto& t : policy.thresholds) {
    if (t.collective != collective.name) continue;
    if (applies_to_run(t, collective, shape)) return missing;
    const std::string one = (t.backend.empty() ? "any backend" : t.backend) +
                            (t.nodes ? ", " + std::to_string(*t.nodes) + " nodes" : "") +
                            (t.ranks ? ", " + std::to_string(*t.ranks) + " ranks" : "");
    if (shapes.find(one) == std::string::npos) shapes += (shapes.empty() ? "" : "; ") + one;
  }
  if (!shapes.empty())
    missing.push_back("policy " + policy.name + " judges " + std::string(collective.name) + " over " +
                      shapes + "; this ran over " + shape.backend + ", " + std::to_string(shape.nodes) +
                      " nodes, " + std::to_string(shape.ranks) + " ranks");
  return missing;
}

}  // namespace mlc
