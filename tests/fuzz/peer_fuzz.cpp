// Any bytes as what the peer of an RDMA measurement says: the header of a frame, its plan, itself, its
// connections and results.
#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "bench/ranks/frame.hpp"
#include "bench/rdma/connection.hpp"
#include "bench/rdma/plan.hpp"
#include "reports/record/json_reader.hpp"

namespace {

template <class Reader>
void read(Reader&& reader) {
  try {
    reader();
  } catch (const std::runtime_error&) {
  } catch (const nlohmann::json::exception&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mlc::rdma;
  const std::string text(reinterpret_cast<const char*>(data), size);
  std::array<std::byte, header_bytes> header{};
  std::copy_n(reinterpret_cast<const std::byte*>(data), std::min(size, header.size()), header.begin());
  read([&] { (void)decode_header(header); });
  read([&] { (void)node_facts_from(text); });
  read([&] { (void)lane_addresses_from(text, 1); });
  read([&] { (void)lane_reports_from(text, 1); });
  read([&] { (void)lane_checks_from(text, 1); });
  read([&] {
    const Plan plan = plan_from_json(mlc::read_json(text));
    if (plan_from_json(to_json(plan)) != plan) std::abort();
  });
  return 0;
}
