#include "validators/deciding/thresholds.hpp"

#include <algorithm>

#include "kernels/dtype.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

// The bus bandwidth of one rank is 0 by definition: nothing crosses.
bool applies_to_run(const Threshold& t, std::string_view collective, const RunShape& shape) {
  if (t.busbw_gb_s && shape.ranks < 2) return false;
  return t.collective == collective && (t.backend.empty() || t.backend == shape.backend) &&
         (!t.nodes || *t.nodes == shape.nodes) && (!t.ranks || *t.ranks == shape.ranks);
}

// By value, since a policy may write an alias.
bool applies_to(const Threshold& t, const Measured& m) {
  if (!t.dtype.empty() && parse_dtype(t.dtype) != parse_dtype(m.dtype)) return false;
  if (!m.redop.empty() && !t.redop.empty() && parse_redop(t.redop) != parse_redop(m.redop)) return false;
  if (!t.placement.empty() && t.placement != m.placement) return false;
  if (!t.sizes.empty())
    return std::ranges::find(t.sizes, m.requested_bytes) != t.sizes.end() ||
           std::ranges::find(t.sizes, m.bytes) != t.sizes.end();
  return m.bytes >= t.min_size.value_or(0) && m.bytes <= t.max_size.value_or(UINT64_MAX);
}

}  // namespace

std::vector<std::uint64_t> policy_sizes(const Policy& policy, std::string_view collective,
                                        const RunShape& shape) {
  std::vector<std::uint64_t> sizes;
  for (const auto& t : policy.thresholds)
    if (applies_to_run(t, collective, shape)) sizes.insert(sizes.end(), t.sizes.begin(), t.sizes.end());
  return sizes;
}

const Threshold* strictest_threshold(const Measured& measured, const Policy& policy, const RunShape& shape) {
  const double busbw_bytes = static_cast<double>(measured.bytes) * measured.bus_factor;
  const Threshold* strictest = nullptr;
  double strictest_us = 0;
  for (const auto& t : policy.thresholds) {
    if (!applies_to_run(t, measured.collective, shape) || !applies_to(t, measured)) continue;
    const double us = t.time_us ? *t.time_us : busbw_bytes / (*t.busbw_gb_s * 1e3);
    if (strictest && us >= strictest_us) continue;
    strictest_us = us;
    strictest = &t;
  }
  return strictest;
}

std::vector<std::string> unmeasured(std::span<const Measured> all, const Policy& policy,
                                    std::string_view collective, const RunShape& shape) {
  std::vector<std::string> missing;
  for (const auto& t : policy.thresholds) {
    if (!applies_to_run(t, collective, shape)) continue;
    const auto judged = [&](std::uint64_t size) {
      return std::ranges::any_of(all, [&](const Measured& m) {
        return applies_to(t, m) && (size == 0 || m.requested_bytes == size || m.bytes == size);
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
    if (t.collective != collective) continue;
    if (applies_to_run(t, collective, shape)) return missing;
    const std::string one = (t.backend.empty() ? "any backend" : t.backend) +
                            (t.nodes ? ", " + std::to_string(*t.nodes) + " nodes" : "") +
                            (t.ranks ? ", " + std::to_string(*t.ranks) + " ranks" : "");
    if (shapes.find(one) == std::string::npos) shapes += (shapes.empty() ? "" : "; ") + one;
  }
  if (!shapes.empty())
    missing.push_back("policy " + policy.name + " judges " + std::string(collective) + " over " + shapes +
                      "; this ran over " + shape.backend + ", " + std::to_string(shape.nodes) + " nodes, " +
                      std::to_string(shape.ranks) + " ranks");
  return missing;
}

std::vector<std::string> never_measured(std::span<const MeasuredRun> runs, const Policy& policy, int nodes) {
  std::vector<std::string> missing;
  for (const auto& t : policy.thresholds) {
    if (t.nodes.value_or(1) > nodes) continue;
    const auto measured = [&](std::uint64_t size) {
      return std::ranges::any_of(runs, [&](const MeasuredRun& run) {
        return applies_to_run(t, run.collective, run.shape) &&
               std::ranges::any_of(run.all, [&](const Measured& m) {
                 return applies_to(t, m) && (size == 0 || m.requested_bytes == size || m.bytes == size);
               });
      });
    };
    const auto name = [&](const std::string& size) {
      return t.collective + size + (t.backend.empty() ? "" : " over " + t.backend) +
             (t.nodes && *t.nodes > 1 ? ", " + std::to_string(*t.nodes) +
                                            " nodes, which a `fabric` section or a stage with peers measures"
                                      : "") +
             ", " + t.asked + " (policy " + policy.name + ")";
    };
    if (t.sizes.empty() && !measured(0)) missing.push_back(name(""));
    for (const std::uint64_t size : t.sizes)
      if (!measured(size)) missing.push_back(name(" " + bytes_text(size)));
  }
  return missing;
}

}  // namespace mlc
