// The `rdma:` section of a policy: what `mlc-bench rdma` must find between two nodes. What is left out is not
// asked for.
#pragma once

#include <cstdint>
#include <optional>

#include "validators/policy/yaml_reader.hpp"

namespace mlc {

struct RdmaExpectation {
  // Each rail, one way, with both of these in the policy's target: its share of what the target's MTU lets
  // the wire carry.
  std::optional<double> share_of_ceiling;
  std::optional<double> rail_gbit_s;        // or a rate outright
  std::optional<double> share_of_siblings;  // of the median of the node's other rails
  std::optional<double> share_of_solo;      // all rails together, of the sum of each alone
  std::optional<double> latency_us;         // p50 of --latency, at most
  std::uint64_t from_size = 64 << 10;       // bytes: smaller messages are shown and not judged
  int retests = 1;                          // of what came out bad, before it is called bad
  bool operator==(const RdmaExpectation&) const = default;
};

// `has_target`: whether the policy has the target that a share of the ceiling needs. Throws PolicyError.
RdmaExpectation read_rdma_expectation(YamlMap map, bool has_target);

}  // namespace mlc
