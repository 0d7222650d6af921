#include "bench/ranks/presence.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

namespace mlc {

namespace {

struct Address {
  sockaddr_un un{};
  socklen_t length = 0;
};

Address address_of(const std::string& job, int rank) {
  Address address;
  address.un.sun_family = AF_UNIX;
  const std::string name =
      "mlc-bench/" + std::to_string(::getuid()) + "/" + job.substr(0, 64) + "/" + std::to_string(rank);
  std::memcpy(address.un.sun_path + 1, name.data(),
              name.size());  // a leading zero byte: the abstract name space
  address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return address;
}

}  // namespace

FileDescriptor announce_presence(const std::string& job, int rank) {
  FileDescriptor fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const Address address = address_of(job, rank);
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address.un), address.length) != 0) return {};
  return fd;
}

std::vector<int> ranks_present(const std::string& job, int size) {
  std::vector<int> present;
  for (int rank = 0; rank < size; ++rank) {
    const FileDescriptor fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const Address address = address_of(job, rank);
    if (fd && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.un), address.length) == 0)
      present.push_back(rank);
  }
  return present;
}

}  // namespace mlc
