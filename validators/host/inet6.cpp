#include "validators/host/inet6.hpp"

#include <linux/if_addr.h>

#include <charconv>
#include <sstream>

namespace mlc {

namespace {

std::optional<unsigned> hexadecimal(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

}  // namespace

// net/ipv6/addrconf.c, if6_seq_show: address, index, prefix length, scope, flags, all hexadecimal; interface.
std::vector<Inet6Address> parse_if_inet6(std::string_view text) {
  std::vector<Inet6Address> addresses;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string digits, index, length_text, scope, flags_text, interface;
    if (!(words >> digits >> index >> length_text >> scope >> flags_text >> interface)) continue;
    const auto length = hexadecimal(length_text), flags = hexadecimal(flags_text);
    if (digits.size() != 32 || !length || *length > 128 || !flags) continue;
    std::string spelt;
    for (std::size_t i = 0; i < 32; i += 4)
      spelt += (i > 0 ? ":" : "") + digits.substr(i, 4);
    const auto address = parse_ip(spelt);
    if (!address) continue;
    addresses.push_back({interface, {*address, static_cast<int>(*length)}, (*flags & IFA_F_DADFAILED) != 0});
  }
  return addresses;
}

}  // namespace mlc
