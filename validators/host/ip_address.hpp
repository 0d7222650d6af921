// Addresses of either family, for what treats both alike: routes, rules and the kernel's choice among them.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "validators/host/ipv4.hpp"

namespace mlc {

enum class IpFamily : std::uint8_t { v4, v6 };
__extension__ typedef unsigned __int128 IpBits;  // an address as a number; IPv4 in the lowest 32 bits

constexpr int width(IpFamily family) { return family == IpFamily::v4 ? 32 : 128; }

struct IpAddress {
  IpFamily family = IpFamily::v4;
  IpBits bits = 0;

  IpAddress() = default;
  IpAddress(Ipv4 address) : bits(address.bits) {}  // implicit: an IPv4 address is an address
  IpAddress(IpFamily of, IpBits number) : family(of), bits(number) {}
  auto operator<=>(const IpAddress&) const = default;
  std::optional<Ipv4> v4() const {
    return family == IpFamily::v4 ? std::optional(Ipv4{static_cast<std::uint32_t>(bits)}) : std::nullopt;
  }
  // 169.254.0.0/16 (RFC 3927), fe80::/10 (RFC 4291).
  bool link_local() const { return family == IpFamily::v4 ? bits >> 16 == 0xa9fe : bits >> 118 == 0x3fa; }
};

struct IpPrefix {
  IpAddress address;
  int length = 0;

  IpPrefix() = default;
  IpPrefix(const Prefix& prefix) : address(prefix.address), length(prefix.length) {}  // implicit, as above
  IpPrefix(IpAddress of, int bits) : address(of), length(bits) {}
  auto operator<=>(const IpPrefix&) const = default;

  IpFamily family() const { return address.family; }
  IpBits host_mask() const;  // ones where the prefix leaves the bits to hosts
  IpAddress first() const { return {family(), address.bits & ~host_mask()}; }
  IpAddress last() const { return {family(), address.bits | host_mask()}; }
  bool contains(const IpAddress& other) const;
  bool contains(const IpPrefix& other) const { return length <= other.length && contains(other.address); }
  IpPrefix network() const { return {first(), length}; }
  bool overlaps(const IpPrefix& other) const { return contains(other) || other.contains(*this); }
};

// Both ends are in it.
struct IpRange {
  IpAddress first, last;
  auto operator<=>(const IpRange&) const = default;
  bool contains(const IpAddress& one) const { return first <= one && one <= last; }
};

std::string to_string(IpFamily family);           // "IPv4", "IPv6"
std::string to_string(const IpAddress& address);  // "10.10.0.21", "2001:db8::1"
std::string to_string(const IpPrefix& prefix);    // "10.10.0.0/16"
std::string to_string(const IpRange& range);      // "10.1.2.1-10.1.2.255"; one address alone is itself
// In network order, 4 or 16 bytes. Empty for another number of bytes.
std::optional<IpAddress> ip_from_bytes(std::string_view bytes);
std::string ip_bytes(const IpAddress& address);
std::optional<IpAddress> parse_ip(std::string_view text);
std::optional<IpPrefix> parse_ip_prefix(std::string_view text);  // host bits are kept

}  // namespace mlc
