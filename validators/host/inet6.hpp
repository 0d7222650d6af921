// IPv6 addresses of interfaces, from /proc/net/if_inet6: a RoCE v2 GID is the address itself.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mlc {

struct Ipv6 {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const Ipv6&) const = default;
  bool link_local() const { return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80; }
};

struct Prefix6 {
  Ipv6 address;
  int length = 0;
  auto operator<=>(const Prefix6&) const = default;

  bool contains(const Ipv6& other) const;
  bool overlaps(const Prefix6& other) const {
    return length <= other.length ? contains(other.address) : other.contains(address);
  }
  Prefix6 network() const;
};

struct Inet6Address {
  std::string interface;
  Prefix6 prefix;          // with host bits
  bool duplicate = false;  // the kernel saw another owner (IFA_F_DADFAILED)
  bool operator==(const Inet6Address&) const = default;
};

std::string to_string(const Ipv6& address);                   // "2001:db8::15"
std::string to_string(const Prefix6& prefix);                 // "2001:db8::15/64"
std::optional<Ipv6> parse_ipv6(std::string_view text);        // also a GID as sysfs writes it
std::optional<Prefix6> parse_prefix6(std::string_view text);  // host bits are kept
// Lines that are none are left out.
std::vector<Inet6Address> parse_if_inet6(std::string_view text);

}  // namespace mlc
