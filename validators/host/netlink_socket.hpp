// The only netlink I/O: one request, all of its answers.
#pragma once

#include "validators/host/machine.hpp"
#include "validators/host/netlink_message.hpp"

namespace mlc {

// Value: [[type, "hex of the payload"], ...]. Error: the kernel's errno, EHOSTUNREACH for a lookup without a
// route.
Answer ask_kernel(const NetlinkRequest& request);

nlohmann::json messages_json(const std::vector<NetlinkMessage>& messages);
std::vector<NetlinkMessage> messages_from(const nlohmann::json& value);

}  // namespace mlc
