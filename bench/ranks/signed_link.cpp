#include "bench/ranks/signed_link.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <random>
#include <span>
#include <system_error>

#include "bench/ranks/frame.hpp"
#include "bench/ranks/tcp_socket.hpp"
#include "reports/record/json_reader.hpp"
#include "reports/record/text.hpp"
#include "validators/host/digest.hpp"

namespace mlc {

namespace {

constexpr std::size_t code_size = 64 + 7;            // "sha256:" and the digits
constexpr std::size_t most_before_proof = 64 << 10;  // a stranger's
constexpr int patience_ms = 20'000;

std::string random_text() {
  std::random_device random;
  std::string text;
  for (int i = 0; i < 4; ++i)
    text += std::to_string((std::uint64_t{random()} << 32) | random()) + ".";
  return text;
}

// A node that lost power says nothing more, not even that it is gone.
void prepare(int fd) {
  const int on = 1, idle_s = 10, probes = 3, unacknowledged_ms = 40'000;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle_s, sizeof idle_s);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof unacknowledged_ms);
}

// Without what marks an IPv4 address in an IPv6 socket: mpirun and ssh are given it as it is.
std::string host_text(const sockaddr_storage& address, socklen_t length) {
  std::array<char, NI_MAXHOST> host{};
  if (::getnameinfo(reinterpret_cast<const sockaddr*>(&address), length, host.data(), host.size(), nullptr, 0,
                    NI_NUMERICHOST) != 0)
    return "unknown";
  const std::string text = host.data();
  return text.starts_with("::ffff:") && text.find('.') != std::string::npos ? text.substr(7) : text;
}

}  // namespace

SignedLink::SignedLink(FileDescriptor socket, std::string key, bool leads, std::string peer)
    : socket_(std::move(socket)),
      key_(std::move(key)),
      peer_(std::move(peer)),
      mine_(random_text()),
      leads_(leads) {
  prepare(socket_.get());
  put(mine_);
}

std::string SignedLink::code_of(bool by_leader, std::uint64_t number, const std::string& text) const {
  const std::string key = digest_of("mlc-bench fabric\n" + key_ + "\n" +
                                    (leads_ ? mine_ + "\n" + theirs_ : theirs_ + "\n" + mine_));
  return digest_of(
      key + digest_of(key + (by_leader ? "leader " : "member ") + std::to_string(number) + "\n" + text));
}

void SignedLink::send(const nlohmann::json& message) {
  std::string text = message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (theirs_.empty()) {
    waiting_.push_back(std::move(text));
    return;
  }
  put(code_of(leads_, sent_, text) + text);
  ++sent_;
}

void SignedLink::put(const std::string& payload) {
  const auto header =
      rdma::encode_header({rdma::FrameKind::message, static_cast<std::uint32_t>(payload.size())});
  const std::string bytes =
      std::string(reinterpret_cast<const char*>(header.data()), header.size()) + payload;
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t sent =
        ::send(socket_.get(), bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      at += static_cast<std::size_t>(sent);
      continue;
    }
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
      throw LinkError(peer_ + " is gone: " + std::strerror(errno));
    pollfd waiting{socket_.get(), POLLOUT, 0};
    if (::poll(&waiting, 1, patience_ms) == 0) throw LinkError(peer_ + " takes nothing more");
  }
}

std::optional<std::string> SignedLink::frame() {
  for (std::array<char, 1 << 16> part{};;) {
    const ssize_t got = ::recv(socket_.get(), part.data(), part.size(), MSG_DONTWAIT);
    if (got > 0) {
      buffer_.append(part.data(), static_cast<std::size_t>(got));
      if (!proven() && buffer_.size() > most_before_proof)
        throw LinkError(peer_ + " says too much before it has shown the key");
      if (static_cast<std::size_t>(got) == part.size()) continue;
    } else if (got < 0 && errno == EINTR) {
      continue;
    } else if (buffer_.empty() && (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))) {
      throw LinkError(peer_ + " ended the connection" +
                      (got < 0 ? std::string(": ") + std::strerror(errno) : ""));
    }
    break;
  }
  if (buffer_.size() < rdma::header_bytes) {
    if (!buffer_.empty() && wait(0)) {
      char next = 0;
      if (::recv(socket_.get(), &next, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
        throw LinkError(peer_ + " ended the connection");
    }
    return std::nullopt;
  }
  const auto header =
      rdma::decode_header(std::span(reinterpret_cast<const std::byte*>(buffer_.data()), buffer_.size())
                              .first<rdma::header_bytes>());
  if (!proven() && header.bytes > most_before_proof)
    throw LinkError(peer_ + " says too much before it has shown the key");
  if (buffer_.size() < rdma::header_bytes + header.bytes) {
    char next = 0;
    if (wait(0) && ::recv(socket_.get(), &next, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
      throw LinkError(peer_ + " ended the connection in the middle of a message");
    return std::nullopt;
  }
  std::string payload = buffer_.substr(rdma::header_bytes, header.bytes);
  buffer_.erase(0, rdma::header_bytes + header.bytes);
  return payload;
}

std::optional<nlohmann::json> SignedLink::receive() {
  try {
    auto payload = frame();
    if (payload && theirs_.empty()) {
      theirs_ = *payload;
      if (theirs_.empty() || theirs_ == mine_) throw LinkError(peer_ + " is no member of this group");
      for (const auto& text : std::exchange(waiting_, {}))
        put(code_of(leads_, sent_, text) + text), ++sent_;
      payload = frame();
    }
    if (!payload) return std::nullopt;
    if (payload->size() < code_size) throw LinkError(peer_ + " does not have the key of this group");
    const std::string text = payload->substr(code_size);
    if (payload->compare(0, code_size, code_of(!leads_, received_, text)) != 0)
      throw LinkError(peer_ + " does not have the key of this group");
    ++received_;
    auto message = read_json(text);
    if (!message.is_object()) throw LinkError(peer_ + " sent something that is no message");
    return message;
  } catch (const rdma::FrameError& error) {
    throw LinkError(peer_ + ": " + error.what());
  } catch (const JsonError& error) {
    throw LinkError(peer_ + " sent what cannot be read: " + error.what());
  }
}

bool SignedLink::wait(double seconds) const {
  pollfd waiting{socket_.get(), POLLIN, 0};
  return ::poll(&waiting, 1, static_cast<int>(seconds * 1e3)) > 0;
}

FileDescriptor listen_on(int port) {
  try {
    return listen_on_tcp(port, 128);
  } catch (const std::system_error& error) {
    throw LinkError("cannot listen on TCP port " + std::to_string(port) + ": " + error.code().message());
  }
}

std::optional<SignedLink> accept_on(const FileDescriptor& listener, const std::string& key) {
  sockaddr_storage from{};
  socklen_t length = sizeof from;
  FileDescriptor socket(::accept4(listener.get(), reinterpret_cast<sockaddr*>(&from), &length, SOCK_CLOEXEC));
  if (!socket) return std::nullopt;
  try {
    return SignedLink(std::move(socket), key, true, host_text(from, length));
  } catch (const LinkError&) {
    return std::nullopt;  // gone already
  }
}

std::optional<SignedLink> connect_to(const std::string& host, int port, const std::string& key,
                                     std::string& why) {
  try {
    if (FileDescriptor socket = connect_by_tcp(host, port, 9000, why))
      return SignedLink(std::move(socket), key, false, host);
  } catch (const LinkError& gone) {
    why = gone.what();
  }
  return std::nullopt;
}

}  // namespace mlc
