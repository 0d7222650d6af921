// Any bytes as any netlink message, and as the key of a captured question.
#include <cstdint>

#include "validators/host/netlink_message.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const mlc::NetlinkMessage message{static_cast<std::uint16_t>(data[0] | data[1] << 8), bytes};
  mlc::parse_link(message);
  mlc::parse_address(message);
  mlc::parse_route(message);
  mlc::parse_rule(message);
  mlc::parse_nexthop(message);
  mlc::parse_neighbour(message);
  mlc::parse_dcb(message);
  mlc::parse_eswitch_mode(message);
  mlc::parse_rdma_exclusive(message);
  if (const auto request = mlc::NetlinkRequest::from_key(bytes)) (void)request->key();
  return 0;
}
