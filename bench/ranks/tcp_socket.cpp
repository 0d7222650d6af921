#include "bench/ranks/tcp_socket.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <system_error>

namespace mlc {

namespace {

constexpr int kind = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;

// 0, or the errno that it came to.
int outcome_of(const FileDescriptor& socket, const addrinfo& to, int patience_ms) {
  if (::connect(socket.get(), to.ai_addr, to.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd waiting{socket.get(), POLLOUT, 0};
  if (::poll(&waiting, 1, patience_ms) <= 0) return ETIMEDOUT;
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  return error;
}

}  // namespace

FileDescriptor listen_on_tcp(int port, int backlog) {
  const auto failed = [] { throw std::system_error(errno, std::generic_category()); };
  FileDescriptor listener(::socket(AF_INET6, kind, 0));
  const bool six = static_cast<bool>(listener);
  if (!six) listener = FileDescriptor(::socket(AF_INET, kind, 0));
  if (!listener) failed();
  const int on = 1, off = 0;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_storage storage{};
  socklen_t length = 0;
  if (six) {
    ::setsockopt(listener.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);  // IPv4 comes in mapped
    auto& address = reinterpret_cast<sockaddr_in6&>(storage);
    address.sin6_family = AF_INET6, address.sin6_port = htons(static_cast<std::uint16_t>(port));
    length = sizeof address;
  } else {
    auto& address = reinterpret_cast<sockaddr_in&>(storage);
    address.sin_family = AF_INET, address.sin_port = htons(static_cast<std::uint16_t>(port));
    length = sizeof address;
  }
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 ||
      ::listen(listener.get(), backlog) != 0)
    failed();
  return listener;
}

FileDescriptor connect_by_tcp(const std::string& host, int port, int patience_ms, std::string& why) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* first = nullptr;
  if (const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &first); code != 0) {
    why = std::string("the name does not resolve: ") + ::gai_strerror(code);
    return {};
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> found(first, &::freeaddrinfo);
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
  for (const addrinfo* each = found.get(); each != nullptr; each = each->ai_next) {
    FileDescriptor socket(::socket(each->ai_family, kind, 0));
    if (!socket) continue;
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now())
            .count();
    const int error = outcome_of(socket, *each, static_cast<int>(std::clamp<std::int64_t>(left, 0, 3000)));
    if (error == 0) return socket;
    why = error == ETIMEDOUT ? "no answer" : std::strerror(error);
  }
  return {};
}

}  // namespace mlc
