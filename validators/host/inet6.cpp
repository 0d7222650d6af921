#include "validators/host/inet6.hpp"

#include <arpa/inet.h>
#include <linux/if_addr.h>

#include <charconv>
#include <sstream>

namespace mlc {

namespace {

std::uint8_t mask_byte(int length, std::size_t at) {
  const int bits = length - static_cast<int>(at) * 8;
  return bits >= 8 ? 0xff : bits <= 0 ? 0 : static_cast<std::uint8_t>(0xff << (8 - bits));
}

std::optional<unsigned> number(std::string_view text, int base) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

}  // namespace

bool Prefix6::contains(const Ipv6& other) const {
  for (std::size_t i = 0; i < 16; ++i)
    if (((address.bytes[i] ^ other.bytes[i]) & mask_byte(length, i)) != 0) return false;
  return true;
}

Prefix6 Prefix6::network() const {
  Prefix6 network = *this;
  for (std::size_t i = 0; i < 16; ++i)
    network.address.bytes[i] &= mask_byte(length, i);
  return network;
}

std::string to_string(const Ipv6& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET6, address.bytes.data(), text.data(), text.size());
  return text.data();
}

std::string to_string(const Prefix6& prefix) {
  return to_string(prefix.address) + "/" + std::to_string(prefix.length);
}

std::optional<Ipv6> parse_ipv6(std::string_view text) {
  Ipv6 address;
  if (text.find('\0') != text.npos ||
      ::inet_pton(AF_INET6, std::string(text).c_str(), address.bytes.data()) != 1)
    return std::nullopt;
  return address;
}

std::optional<Prefix6> parse_prefix6(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == text.npos) return std::nullopt;
  const auto address = parse_ipv6(text.substr(0, slash));
  const auto length = number(text.substr(slash + 1), 10);
  if (!address || !length || *length > 128) return std::nullopt;
  return Prefix6{*address, static_cast<int>(*length)};
}

// net/ipv6/addrconf.c, if6_seq_show: address, index, prefix length, scope, flags, all hexadecimal; interface.
std::vector<Inet6Address> parse_if_inet6(std::string_view text) {
  std::vector<Inet6Address> addresses;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string digits, index, length_text, scope, flags_text, interface;
    if (!(words >> digits >> index >> length_text >> scope >> flags_text >> interface)) continue;
    const auto length = number(length_text, 16), flags = number(flags_text, 16);
    if (digits.size() != 32 || !length || *length > 128 || !flags) continue;
    std::string spelt;
    for (std::size_t i = 0; i < 32; i += 4)
      spelt += (i > 0 ? ":" : "") + digits.substr(i, 4);
    const auto address = parse_ipv6(spelt);
    if (!address) continue;
    addresses.push_back({interface, {*address, static_cast<int>(*length)}, (*flags & IFA_F_DADFAILED) != 0});
  }
  return addresses;
}

}  // namespace mlc
