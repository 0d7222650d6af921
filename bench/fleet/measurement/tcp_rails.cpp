#include "bench/fleet/measurement/tcp_rails.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>

#include "reports/record/text.hpp"
#include "validators/host/file_descriptor.hpp"

namespace mlc::fleet {

namespace {

constexpr Ipv4 loopback_address{0x7f000001};

// Gbit/s; 0 where the driver does not say (veth and other virtual links).
double speed_of(const Host& host, const std::string& interface) {
  const auto text = host.files().text("/sys/class/net/" + interface + "/speed");
  const double mbit_s = text ? std::atof(text->c_str()) : 0;
  return mbit_s > 0 ? mbit_s / 1e3 : 0;
}

}  // namespace

std::vector<TcpRail> tcp_rails(const Host& host, const std::vector<std::string>& interfaces) {
  std::vector<TcpRail> rails;
  for (const auto& name : interfaces) {
    TcpRail& rail = rails.emplace_back();
    rail.name = name;
    if (!host.links() || !host.addresses()) {
      rail.problem = "the kernel does not tell its interfaces";
      continue;
    }
    const auto link = std::ranges::find(*host.links(), name, &Link::name);
    if (link == host.links()->end()) {
      rail.problem = "no interface " + printable(name, 64);
      continue;
    }
    const auto address = std::ranges::find(*host.addresses(), link->index, &Address::index);
    if (!link->up())
      rail.problem = printable(name, 64) + " is down";
    else if (address == host.addresses()->end())
      rail.problem = printable(name, 64) + " has no IPv4 address";
    else
      rail.address = address->prefix.address, rail.gbit_s = speed_of(host, name);
  }
  return rails;
}

TcpRail tcp_rail_towards(const Host& host, const std::string& peer) {
  TcpRail rail{.name = "lo", .address = loopback_address};
  const auto to = parse_ipv4(peer);
  const FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET, at.sin_port = htons(9), at.sin_addr.s_addr = htonl(to ? to->bits : 0);
  socklen_t length = sizeof at;
  // Nothing is sent: the kernel only chooses the address.
  if (!to || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&at), &length) != 0)
    return rail;
  rail.address = {ntohl(at.sin_addr.s_addr)};
  if (!host.links() || !host.addresses()) return rail;
  for (const auto& each : *host.addresses())
    if (each.prefix.address == rail.address)
      if (const auto link = std::ranges::find(*host.links(), each.index, &Link::index);
          link != host.links()->end())
        rail.name = link->name, rail.gbit_s = speed_of(host, link->name);
  return rail;
}

std::vector<std::string> own_addresses(const Host& host) {
  std::vector<std::string> all;
  if (host.links() && host.addresses())
    for (const auto& each : *host.addresses()) {
      const auto link = std::ranges::find(*host.links(), each.index, &Link::index);
      if (link != host.links()->end() && link->up() && !link->loopback())
        all.push_back(to_string(each.prefix.address));
    }
  if (all.empty()) all.push_back(to_string(loopback_address));
  return all;
}

}  // namespace mlc::fleet
