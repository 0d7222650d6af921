#include "validators/host/ipv4.hpp"

#include <arpa/inet.h>

#include <array>
#include <charconv>
#include <cstring>

namespace mlc {

std::string to_string(Ipv4 address) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8)
    text += std::to_string((address.bits >> shift) & 0xff) + (shift > 0 ? "." : "");
  return text;
}

std::string to_string(const Prefix& prefix) {
  return to_string(prefix.address) + "/" + std::to_string(prefix.length);
}

std::optional<Ipv4> parse_ipv4(std::string_view text) {
  in_addr address{};
  if (::inet_pton(AF_INET, std::string(text).c_str(), &address) != 1 || text.find('\0') != text.npos)
    return std::nullopt;
  return Ipv4{ntohl(address.s_addr)};
}

std::optional<Prefix> parse_prefix(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == text.npos) return std::nullopt;
  const auto address = parse_ipv4(text.substr(0, slash));
  const std::string_view digits = text.substr(slash + 1);
  int length = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (!address || error != std::errc{} || end != digits.data() + digits.size() || length < 0 || length > 32)
    return std::nullopt;
  return Prefix{*address, length};
}

std::optional<Ipv4> mapped_ipv4(std::string_view gid) {
  std::array<unsigned char, 16> bytes{};
  if (gid.size() > 64 || ::inet_pton(AF_INET6, std::string(gid).c_str(), bytes.data()) != 1)
    return std::nullopt;
  static constexpr std::array<unsigned char, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::memcmp(bytes.data(), mapped.data(), mapped.size()) != 0) return std::nullopt;
  return Ipv4{std::uint32_t{bytes[12]} << 24 | std::uint32_t{bytes[13]} << 16 |
              std::uint32_t{bytes[14]} << 8 | bytes[15]};
}

}  // namespace mlc
