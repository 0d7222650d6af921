#include "bench/cli/named_policy.hpp"

#include <algorithm>

#include "bench/backends/backends.hpp"
#include "bench/collectives/collective.hpp"
#include "bench/engine/sweep.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

[[noreturn]] void unknown(const Policy& policy, const std::string& who, const std::string& kind,
                          const std::string& name, const std::vector<std::string>& known) {
  const auto near = nearest(name, known);
  throw PolicyError(policy.name + ": " + who + " names the " + kind + " '" + printable(name) +
                    "', which does not exist" + (near ? "; did you mean '" + *near + "'?" : ""));
}

void require_collective(const Policy& policy, const std::string& who, const std::string& name) {
  if (find_collective(name) != nullptr) return;
  std::vector<std::string> known;
  for (const auto* one : all_collectives())
    known.emplace_back(one->name);
  unknown(policy, who, "collective", name, known);
}

void require_backend(const Policy& policy, const std::string& name) {
  std::vector<std::string> known;
  for (const auto& one : all_backends())
    known.push_back(one.name);
  if (!name.empty() && std::ranges::find(known, name) == known.end())
    unknown(policy, "a threshold", "backend", name, known);
}

}  // namespace

Policy named_policy(const std::string& name_or_path) {
  Policy policy = load_policy(name_or_path);
  for (const auto& threshold : policy.thresholds) {
    require_collective(policy, "a threshold", threshold.collective);
    require_backend(policy, threshold.backend);
    if (threshold.placement == to_string(Placement::out_of_place) &&
        one_buffer_only(threshold.backend, threshold.collective))
      throw PolicyError(policy.name + ": a threshold asks for " + threshold.collective +
                        " out of place, but " + threshold.backend +
                        " has one buffer for it: leave 'placement' away, or ask for in_place");
    if (!threshold.dtype.empty() && !parse_dtype(threshold.dtype))
      unknown(policy, "a threshold", "dtype", threshold.dtype, {});
    if (!threshold.redop.empty() && !parse_redop(threshold.redop))
      unknown(policy, "a threshold", "op", threshold.redop, {});
  }
  for (const auto& tier : policy.admit.tiers)
    require_collective(policy, "tier " + tier.name, tier.collective);
  return policy;
}

}  // namespace mlc
