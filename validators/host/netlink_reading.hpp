// Pieces of netlink answers as values, for the parsers of netlink_message.hpp alone. What is too short is
// nothing.
#pragma once

#include <linux/netlink.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "validators/host/netlink_message.hpp"

namespace mlc::netlink {

template <class T>
std::optional<T> read_as(std::string_view bytes) {
  if (bytes.size() < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

inline std::optional<unsigned> number(std::string_view bytes) {
  if (bytes.size() >= 4) return read_as<std::uint32_t>(bytes);
  if (bytes.size() >= 2) return read_as<std::uint16_t>(bytes);
  if (bytes.size() == 1) return static_cast<unsigned char>(bytes[0]);
  return std::nullopt;
}

inline std::string text(std::string_view bytes) { return std::string(bytes.substr(0, bytes.find('\0'))); }

// The attributes after a family header of type Header, or nothing if the message is shorter.
template <class Header>
std::optional<std::pair<Header, std::string_view>> split(const NetlinkMessage& message) {
  const auto header = read_as<Header>(message.payload);
  if (!header) return std::nullopt;
  const auto at = std::min<std::size_t>(NLMSG_ALIGN(sizeof(Header)), message.payload.size());
  return std::pair{*header, std::string_view(message.payload).substr(at)};
}

}  // namespace mlc::netlink
