#include "validators/host/ethtool.hpp"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>
#include <vector>

#include "validators/host/file_descriptor.hpp"

namespace mlc::rdma {

namespace {

// The kernel's structures end in an array whose length is asked for first.
bool ask(int socket, const std::string& netdev, void* command) {
  ifreq request{};
  std::strncpy(request.ifr_name, netdev.c_str(), IFNAMSIZ - 1);
  request.ifr_data = static_cast<char*>(command);
  return ::ioctl(socket, SIOCETHTOOL, &request) == 0;
}

template <class Header>
std::vector<std::uint64_t> with_room(const Header& header, std::size_t bytes) {
  std::vector<std::uint64_t> room((sizeof(Header) + bytes + 7) / 8);
  std::memcpy(room.data(), &header, sizeof header);
  return room;
}

}  // namespace

std::map<std::string, std::uint64_t> ethtool_statistics(const std::string& netdev) {
  const FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return {};
  ethtool_drvinfo driver{};
  driver.cmd = ETHTOOL_GDRVINFO;
  if (!ask(socket.get(), netdev, &driver)) return {};
  const std::size_t count = driver.n_stats;
  if (count == 0 || count > 100'000) return {};
  ethtool_gstrings strings{};
  strings.cmd = ETHTOOL_GSTRINGS, strings.string_set = ETH_SS_STATS, strings.len = driver.n_stats;
  auto names = with_room(strings, count * ETH_GSTRING_LEN);
  ethtool_stats statistics{};
  statistics.cmd = ETHTOOL_GSTATS, statistics.n_stats = driver.n_stats;
  auto values = with_room(statistics, count * sizeof(std::uint64_t));
  if (!ask(socket.get(), netdev, names.data()) || !ask(socket.get(), netdev, values.data())) return {};
  std::map<std::string, std::uint64_t> found;
  const char* name = reinterpret_cast<const char*>(names.data()) + sizeof strings;
  const char* value = reinterpret_cast<const char*>(values.data()) + sizeof statistics;
  for (std::size_t i = 0; i < count; ++i, name += ETH_GSTRING_LEN, value += sizeof(std::uint64_t))
    std::memcpy(&found[std::string(name, ::strnlen(name, ETH_GSTRING_LEN))], value, sizeof(std::uint64_t));
  return found;
}

}  // namespace mlc::rdma
