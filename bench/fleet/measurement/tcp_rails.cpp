#include "bench/fleet/measurement/tcp_rails.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "reports/record/text.hpp"
#include "validators/host/file_descriptor.hpp"

namespace mlc::fleet {

namespace {

constexpr Ipv4 loopback_address{0x7f000001};

constexpr int reach_ms = 3000;

std::vector<Ipv4> addresses_of(const std::string& name) {
  addrinfo hints{};
  hints.ai_family = AF_INET, hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::vector<Ipv4> all;
  if (::getaddrinfo(name.c_str(), nullptr, &hints, &found) != 0) return all;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next)
    all.push_back({ntohl(reinterpret_cast<const sockaddr_in*>(each->ai_addr)->sin_addr.s_addr)});
  ::freeaddrinfo(found);
  return all;
}

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

TcpRail tcp_rail_at(const Host& host, const std::string& address) {
  TcpRail rail{.name = "the way to the coordinator"};
  const auto own = parse_ipv4(address);
  if (!own) {
    rail.problem = "no way over IPv4 to the coordinator";
    return rail;
  }
  rail.address = *own;
  if (!host.links() || !host.addresses()) return rail;
  for (const auto& each : *host.addresses())
    if (each.prefix.address == rail.address)
      if (const auto link = std::ranges::find(*host.links(), each.index, &Link::index);
          link != host.links()->end())
        rail.name = link->name, rail.gbit_s = speed_of(host, link->name);
  return rail;
}

std::string local_address_towards(const std::string& host, int port) {
  for (const auto& address : addresses_of(host)) {
    const FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET, at.sin_port = htons(static_cast<std::uint16_t>(port));
    at.sin_addr.s_addr = htonl(address.bits);
    int error = ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0 ? 0 : errno;
    socklen_t length = sizeof error;
    if (pollfd waiting{socket.get(), POLLOUT, 0}; error == EINPROGRESS && ::poll(&waiting, 1, reach_ms) > 0)
      ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    length = sizeof at;
    if (error == 0 && ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&at), &length) == 0)
      return to_string(Ipv4{ntohl(at.sin_addr.s_addr)});
  }
  return {};
}

std::string own_address_called(const Host& host, const std::string& name) {
  const auto own = own_addresses(host);
  for (const auto& address : addresses_of(name))
    if (std::ranges::find(own, to_string(address)) != own.end() || address == loopback_address)
      return to_string(address);
  return {};
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
