#include "bench/ranks/tcp_control.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>

#include "bench/handles/error.hpp"
#include "bench/ranks/frame.hpp"
#include "bench/ranks/tcp_socket.hpp"
#include "reports/record/text.hpp"
#include "validators/host/file_descriptor.hpp"

namespace mlc::rdma {

namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

SteadyTime in_seconds(double seconds) {
  return std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                                std::chrono::duration<double>(seconds));
}

int milliseconds_until(SteadyTime end) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<long long>(left, 0, 3'600'000));
}

std::string seconds_text(double seconds) { return shortest(seconds) + " s"; }

std::string address_text(const sockaddr* address, socklen_t length) {
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (::getnameinfo(address, length, host.data(), host.size(), port.data(), port.size(),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return "unknown address";
  return std::string(host.data()) + ":" + port.data();
}

// A peer whose node lost power sends nothing more, not even that it is gone: probes find out, and
// unacknowledged data is given up with the same deadline.
void prepare(int fd, double timeout_s) {
  const int on = 1, patience_ms = static_cast<int>(std::min(timeout_s * 1e3, 2e9));
  const int idle = std::max(1, static_cast<int>(timeout_s / 3)), between = idle, probes = 2;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &between, sizeof between);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms, sizeof patience_ms);
}

class Tcp final : public TcpControl {
 public:
  Tcp(FileDescriptor socket, int rank, double timeout_s, std::string peer)
      : socket_(std::move(socket)), rank_(rank), timeout_s_(timeout_s), peer_(std::move(peer)) {
    prepare(socket_.get(), timeout_s);
  }

  int rank() const override { return rank_; }
  int size() const override { return 2; }
  const std::string& peer() const override { return peer_; }

  void barrier() override {
    send(FrameKind::message, {});
    (void)receive();
  }
  void broadcast(std::span<std::byte> bytes, int root) override {
    if (root == rank_)
      send(FrameKind::message, bytes);
    else
      receive_into(bytes);
  }
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) override {
    send(FrameKind::message, mine);
    std::ranges::copy(mine, all.begin() + static_cast<std::ptrdiff_t>(rank_ == 0 ? 0 : mine.size()));
    receive_into(all.subspan(rank_ == 0 ? mine.size() : 0, mine.size()));
  }
  void maximum(std::span<double> values) override {
    std::vector<double> both(values.size() * 2);
    all_gather(std::as_bytes(values), std::as_writable_bytes(std::span(both)));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = std::max(both[i], both[values.size() + i]);
  }

  void alive() override { send(FrameKind::alive, {}); }
  void broken(const std::string& why) noexcept override {
    try {
      send(FrameKind::broken, std::as_bytes(std::span(why)));
    } catch (const std::exception&) {
    }  // the peer is gone already
  }

  // The first words: who is there. Both say it at once.
  void greet(const std::string& program_version) {
    send(FrameKind::message, std::as_bytes(std::span(program_version)));
    const auto theirs = receive();
    const std::string version(reinterpret_cast<const char*>(theirs.data()), theirs.size());
    if (version != program_version)
      throw VersionError(peer_ + " runs mlc-bench " + printable(version, 40) + ", this is " +
                         program_version + ": run the same mlc-bench on both sides");
  }

 private:
  [[noreturn]] void gone(const std::string& how) const {
    throw BackendError("the peer " + peer_ + " " + how);
  }

  void wait_for(short events, SteadyTime until) const {
    for (;;) {
      pollfd waiting{socket_.get(), events, 0};
      const int ready = ::poll(&waiting, 1, milliseconds_until(until));
      if (ready > 0) return;
      if (ready == 0) gone("has been silent for " + seconds_text(timeout_s_));
      if (errno != EINTR) gone(std::string("cannot be waited for: ") + std::strerror(errno));
    }
  }

  void send(FrameKind kind, std::span<const std::byte> payload) {
    const std::lock_guard lock(sending_);
    const auto header = encode_header({kind, static_cast<std::uint32_t>(payload.size())});
    const auto until = in_seconds(timeout_s_);
    put(header, until);
    put(payload, until);
  }

  void put(std::span<const std::byte> bytes, SteadyTime until) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent >= 0)
        bytes = bytes.subspan(static_cast<std::size_t>(sent));
      else if (errno == EAGAIN || errno == EWOULDBLOCK)
        wait_for(POLLOUT, until);
      else if (errno != EINTR)
        gone(std::string("ended the connection: ") + std::strerror(errno));
    }
  }

  void get(std::span<std::byte> bytes, SteadyTime until, bool inside_frame) const {
    while (!bytes.empty()) {
      wait_for(POLLIN, until);
      const ssize_t got = ::recv(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
      if (got == 0)
        gone(inside_frame ? "ended the connection in the middle of a message" : "ended the connection");
      if (got > 0)
        bytes = bytes.subspan(static_cast<std::size_t>(got)), inside_frame = true;
      else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        gone(std::string("ended the connection: ") + std::strerror(errno));
    }
  }

  std::vector<std::byte> receive() {
    for (;;) {
      const auto until = in_seconds(timeout_s_);
      std::array<std::byte, header_bytes> bytes{};
      get(bytes, until, false);
      const FrameHeader header = decode_header(bytes);
      // Grows with what comes: a length that lies costs nothing.
      std::vector<std::byte> payload;
      while (payload.size() < header.bytes) {
        const std::size_t have = payload.size(), more = std::min<std::size_t>(header.bytes - have, 1 << 20);
        payload.resize(have + more);
        get(std::span(payload).subspan(have), until, true);
      }
      if (header.kind == FrameKind::alive) continue;
      if (header.kind == FrameKind::broken)
        gone("cannot go on: " +
             printable({reinterpret_cast<const char*>(payload.data()), payload.size()}, 600));
      return payload;
    }
  }

  void receive_into(std::span<std::byte> bytes) {
    const auto payload = receive();
    if (payload.size() != bytes.size())
      gone("sent " + std::to_string(payload.size()) + " bytes where " + std::to_string(bytes.size()) +
           " belong");
    std::ranges::copy(payload, bytes.begin());
  }

  FileDescriptor socket_;
  std::mutex sending_;
  const int rank_;
  const double timeout_s_;
  const std::string peer_;
};

}  // namespace

std::unique_ptr<TcpControl> listen_for_peer(int port, double timeout_s, const std::string& program_version,
                                            const std::function<void(const std::string&)>& refused) {
  FileDescriptor listener;
  try {
    listener = listen_on_tcp(port, 8);
  } catch (const std::system_error& error) {
    throw BackendError("cannot listen on TCP port " + std::to_string(port) + ": " + error.code().message() +
                       (error.code().value() == EADDRINUSE
                            ? "; another mlc-bench may be waiting there: take --listen=PORT"
                            : ""));
  }
  const auto until = in_seconds(timeout_s);
  for (;;) {
    pollfd waiting{listener.get(), POLLIN, 0};
    const int ready = ::poll(&waiting, 1, milliseconds_until(until));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0)
      throw BackendError(
          "no peer came to TCP port " + std::to_string(port) + " within " + seconds_text(timeout_s) +
          ": start 'mlc-bench rdma --connect THIS-NODE' on the other side, and see that the port is "
          "reachable from there");
    sockaddr_storage from{};
    socklen_t from_length = sizeof from;
    FileDescriptor socket(
        ::accept4(listener.get(), reinterpret_cast<sockaddr*>(&from), &from_length, SOCK_CLOEXEC));
    if (!socket) continue;
    const std::string peer = address_text(reinterpret_cast<const sockaddr*>(&from), from_length);
    // A port scanner or a health probe must not end the waiting; nor may it keep it up for longer than a
    // moment.
    const double patience = std::min(5.0, std::max(0.5, milliseconds_until(until) / 1e3));
    try {
      auto control = std::make_unique<Tcp>(FileDescriptor(::dup(socket.get())), 1, patience, peer);
      control->greet(program_version);
      return std::make_unique<Tcp>(std::move(socket), 1, timeout_s, peer);
    } catch (const VersionError& other) {
      throw BackendError(other.what());
    } catch (const std::exception& error) {
      refused(peer + " was turned away: " + error.what());
    }
  }
}

std::unique_ptr<TcpControl> connect_to_peer(const std::string& host, int port, double timeout_s,
                                            const std::string& program_version) {
  const std::string name = host + ":" + std::to_string(port);
  const auto until = in_seconds(timeout_s);
  std::string last;
  for (;;) {
    if (FileDescriptor socket = connect_by_tcp(host, port, milliseconds_until(until), last)) {
      auto control = std::make_unique<Tcp>(std::move(socket), 0, timeout_s, name);
      try {
        control->greet(program_version);
      } catch (const FrameError& wrong) {
        throw BackendError(name + ": " + wrong.what());
      }
      return control;
    }
    if (milliseconds_until(until) == 0)
      throw BackendError("cannot reach " + name + " within " + seconds_text(timeout_s) + ": " + last +
                         "; is 'mlc-bench rdma --listen' running there, and the port reachable from here?");
    std::this_thread::sleep_for(std::chrono::milliseconds(std::clamp(milliseconds_until(until), 0, 200)));
  }
}

}  // namespace mlc::rdma
