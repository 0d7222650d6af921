#include "validators/host/ip_address.hpp"

#include <arpa/inet.h>

#include <array>
#include <charconv>

namespace mlc {

namespace {

int system_family(IpFamily family) { return family == IpFamily::v4 ? AF_INET : AF_INET6; }

}  // namespace

IpBits IpPrefix::host_mask() const {
  const int hosts = width(family()) - length;
  if (hosts <= 0) return 0;
  if (hosts >= 128) return ~IpBits{0};
  return (IpBits{1} << hosts) - 1;
}

bool IpPrefix::contains(const IpAddress& other) const {
  return other.family == family() && ((address.bits ^ other.bits) & ~host_mask()) == 0;
}

std::string ip_bytes(const IpAddress& address) {
  std::string bytes;
  for (int shift = width(address.family) - 8; shift >= 0; shift -= 8)
    bytes += static_cast<char>(address.bits >> shift);
  return bytes;
}

std::optional<IpAddress> ip_from_bytes(std::string_view bytes) {
  if (bytes.size() != 4 && bytes.size() != 16) return std::nullopt;
  IpAddress address{bytes.size() == 4 ? IpFamily::v4 : IpFamily::v6, 0};
  for (const unsigned char byte : bytes)
    address.bits = address.bits << 8 | byte;
  return address;
}

std::string to_string(IpFamily family) { return family == IpFamily::v4 ? "IPv4" : "IPv6"; }

std::string to_string(const IpAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const std::string bytes = ip_bytes(address);
  ::inet_ntop(system_family(address.family), bytes.data(), text.data(), text.size());
  return text.data();
}

std::string to_string(const IpPrefix& prefix) {
  return to_string(prefix.address) + "/" + std::to_string(prefix.length);
}

std::string to_string(const IpRange& range) {
  return to_string(range.first) + (range.first == range.last ? "" : "-" + to_string(range.last));
}

std::optional<IpAddress> parse_ip(std::string_view text) {
  if (text.find('\0') != text.npos) return std::nullopt;
  const IpFamily family = text.find(':') == text.npos ? IpFamily::v4 : IpFamily::v6;
  std::array<char, 16> bytes{};
  if (::inet_pton(system_family(family), std::string(text).c_str(), bytes.data()) != 1) return std::nullopt;
  return ip_from_bytes({bytes.data(), static_cast<std::size_t>(width(family) / 8)});
}

std::optional<IpPrefix> parse_ip_prefix(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == text.npos) return std::nullopt;
  const auto address = parse_ip(text.substr(0, slash));
  const std::string_view digits = text.substr(slash + 1);
  int length = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (!address || error != std::errc{} || end != digits.data() + digits.size() || length < 0 ||
      length > width(address->family))
    return std::nullopt;
  return IpPrefix{*address, length};
}

}  // namespace mlc
