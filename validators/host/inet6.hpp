// IPv6 addresses of interfaces, from /proc/net/if_inet6: a RoCE v2 GID is the address itself.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "validators/host/ip_address.hpp"

namespace mlc {

struct Inet6Address {
  std::string interface;
  IpPrefix prefix;         // with host bits
  bool duplicate = false;  // the kernel saw another owner (IFA_F_DADFAILED)
  bool operator==(const Inet6Address&) const = default;
};

// Lines that are none are left out.
std::vector<Inet6Address> parse_if_inet6(std::string_view text);

}  // namespace mlc
