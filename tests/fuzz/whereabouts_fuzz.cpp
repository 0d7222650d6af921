// Any JSON as the API's lists of pools, reservations and Pods.
#include <cstdint>
#include <nlohmann/json.hpp>

#include "reports/record/json_reader.hpp"
#include "validators/host/whereabouts.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto list = mlc::read_json_if({reinterpret_cast<const char*>(data), size});
  if (!list) return 0;
  mlc::parse_ip_pools(*list);
  mlc::parse_reservations(*list);
  mlc::parse_pods(*list);
  return 0;
}
