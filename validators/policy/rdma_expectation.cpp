#include "validators/policy/rdma_expectation.hpp"

#include "reports/record/text.hpp"

namespace mlc {

RdmaExpectation read_rdma_expectation(YamlMap map, bool has_target) {
  RdmaExpectation expected;
  expected.share_of_ceiling = map.number_if("share_of_ceiling", 0.001, 1);
  expected.rail_gbit_s = map.number_if("rail_gbit_s", 1e-6, 10'000);
  if (expected.share_of_ceiling && expected.rail_gbit_s)
    map.reject("rail_gbit_s", "give either 'share_of_ceiling' or 'rail_gbit_s', not both");
  if (expected.share_of_ceiling && !has_target)
    map.reject("share_of_ceiling", "'share_of_ceiling' needs the policy's 'target'");
  expected.share_of_siblings = map.number_if("share_of_siblings", 0.001, 1);
  expected.share_of_solo = map.number_if("share_of_solo", 0.001, 1);
  expected.latency_us = map.number_if("latency_us", 0.01, 1e9);
  if (const auto size = map.text_if("from_size")) {
    const auto bytes = parse_bytes(*size);
    if (!bytes || *bytes == 0)
      map.reject("from_size", "'from_size': '" + printable(*size) + "' is no size; write 4K, 64K");
    expected.from_size = *bytes;
  }
  expected.retests = static_cast<int>(map.integer_if("retests", 0, 10).value_or(expected.retests));
  map.finish();
  return expected;
}

}  // namespace mlc
