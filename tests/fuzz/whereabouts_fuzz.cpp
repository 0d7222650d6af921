// Any JSON as pages of the API's lists of pools, reservations and Pods, and what is made of them.
#include <cstdint>
#include <nlohmann/json.hpp>

#include "k8s/ipam/judge.hpp"
#include "reports/record/json_reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mlc::ipam;
  const auto page = mlc::read_json_if({reinterpret_cast<const char*>(data), size});
  if (!page) return 0;
  Records records;
  add_pools(records, *page);
  add_reservations(records, *page);
  add_pods(records, *page);
  const auto troubles = troubles_of(records);
  findings_of(records, troubles, {{"a/b", node_in_table(*page)}}, 0.9);
  notes_for_nodes(troubles, {{"a/b", "n"}}, 3);
  return 0;
}
