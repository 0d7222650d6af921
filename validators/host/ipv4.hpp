// IPv4 addresses and prefixes. Rails are IPv4 throughout: a RoCE v2 GID is the IPv4-mapped form of the
// address.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mlc {

struct Ipv4 {
  std::uint32_t bits = 0;  // host order
  auto operator<=>(const Ipv4&) const = default;
};

struct Prefix {
  Ipv4 address;
  int length = 0;
  auto operator<=>(const Prefix&) const = default;

  std::uint32_t mask() const { return length == 0 ? 0 : ~std::uint32_t{0} << (32 - length); }
  bool contains(Ipv4 other) const { return ((address.bits ^ other.bits) & mask()) == 0; }
  bool overlaps(const Prefix& other) const {
    return length <= other.length ? contains(other.address) : other.contains(address);
  }
  Prefix network() const { return {{address.bits & mask()}, length}; }
};

std::string to_string(Ipv4 address);                        // "10.10.0.21"
std::string to_string(const Prefix& prefix);                // "10.10.0.0/16"
std::optional<Ipv4> parse_ipv4(std::string_view text);      // four decimal parts, nothing else
std::optional<Prefix> parse_prefix(std::string_view text);  // "10.10.0.0/16"; host bits are kept
// "0000:0000:0000:0000:0000:ffff:0a0a:0015" -> 10.10.0.21; empty for a GID that is not IPv4-mapped.
std::optional<Ipv4> mapped_ipv4(std::string_view gid);

}  // namespace mlc
