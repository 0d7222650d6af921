#include "bench/ranks/roll_call.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <random>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point time) { return std::chrono::duration<double>(Clock::now() - time).count(); }

void send_all(int fd, const std::string& line) {
  // A peer that does not read has long been given up; what does not fit is dropped with it.
  (void)::send(fd, line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

std::string random_token() {
  std::random_device source;
  std::string token;
  for (int i = 0; i < 4; ++i) {
    std::array<char, 9> hex{};
    std::snprintf(hex.data(), hex.size(), "%08x", source());
    token += hex.data();
  }
  return token;
}

std::vector<std::string> own_addresses() {
  std::vector<std::string> ordinary, loopback;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return {"127.0.0.1"};
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owned(list, ::freeifaddrs);
  for (const ifaddrs* at = list; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr || at->ifa_addr->sa_family != AF_INET || (at->ifa_flags & IFF_UP) == 0)
      continue;
    std::array<char, INET_ADDRSTRLEN> text{};
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(at->ifa_addr)->sin_addr, text.data(),
                text.size());
    ((at->ifa_flags & IFF_LOOPBACK) != 0 ? loopback : ordinary).emplace_back(text.data());
  }
  ordinary.insert(ordinary.end(), loopback.begin(), loopback.end());
  return ordinary;
}

}  // namespace

std::string to_line(const RollCallAddress& address) {
  return address.token + " " + std::to_string(address.port) + " " + join(address.addresses, " ");
}

RollCallAddress address_from_line(const std::string& line) {
  const auto words = split_words(line);
  RollCallAddress address;
  if (words.size() >= 3) {
    std::from_chars(words[1].data(), words[1].data() + words[1].size(), address.port);
    address.token = words[0], address.addresses.assign(words.begin() + 2, words.end());
  }
  if (address.port == 0) throw std::runtime_error("roll call: no address in '" + printable(line) + "'");
  return address;
}

bool LineBuffer::read_from(int fd) {
  std::array<char, 4096> chunk;
  for (;;) {
    const ssize_t got = ::recv(fd, chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (got > 0) {
      bytes_.append(chunk.data(), static_cast<std::size_t>(got));
      if (bytes_.size() > 1 << 20) return false;
      continue;
    }
    if (got < 0 && errno == EINTR) continue;
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  }
}

std::optional<std::string> LineBuffer::next() {
  const auto end = bytes_.find('\n');
  if (end == std::string::npos) return std::nullopt;
  std::string line = bytes_.substr(0, std::min<std::size_t>(end, 4096));
  bytes_.erase(0, end + 1);
  return line;
}

RollCallServer::RollCallServer()
    : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)), token_(random_token()) {
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_ANY);
  socklen_t length = sizeof any;
  if (!listener_ || ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0 ||
      ::listen(listener_.get(), 1024) != 0 ||
      ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&any), &length) != 0)
    throw std::system_error(errno, std::generic_category(), "roll call: cannot listen");
  port_ = ntohs(any.sin_port);
}

RollCallAddress RollCallServer::address() const { return {token_, port_, own_addresses()}; }

void RollCallServer::expect(std::vector<std::string> nodes_by_rank) {
  members_.clear();
  for (std::size_t rank = 0; rank < nodes_by_rank.size(); ++rank) {
    Member member;
    member.state.rank = static_cast<int>(rank), member.state.node = nodes_by_rank[rank],
    member.state.phase = "joining";
    member.moved = member.heard = Clock::now();
    members_.push_back(member);
  }
}

std::vector<int> RollCallServer::descriptors() const {
  std::vector<int> fds{listener_.get()};
  for (const auto& connection : connections_)
    fds.push_back(connection.fd.get());
  return fds;
}

std::optional<ErrorEntry> RollCallServer::take(Connection& connection, const std::string& line) {
  const auto word = line.substr(0, line.find(' '));
  const auto rest = word.size() < line.size() ? line.substr(word.size() + 1) : std::string();
  if (connection.rank < 0) {
    int rank = -1;
    if (word == "mlc-bench" && rest.starts_with(token_ + " ")) {
      const auto number = std::string_view(rest).substr(token_.size() + 1);
      std::from_chars(number.data(), number.data() + number.size(), rank);
    }
    if (rank < 1 || rank >= static_cast<int>(members_.size())) {
      connection.fd = FileDescriptor();  // a stranger
      return std::nullopt;
    }
    connection.rank = rank;
    members_[static_cast<std::size_t>(rank)].connected = true;
  }
  Member& member = members_[static_cast<std::size_t>(connection.rank)];
  member.heard = Clock::now();
  if (word == "at") {
    std::uint64_t sequence = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), sequence);
    if (error == std::errc{} && sequence != member.state.sequence) {
      member.state.sequence = sequence, member.moved = Clock::now();
      member.state.phase = printable(std::string_view(rest).substr(
          std::min(rest.size(), static_cast<std::size_t>(end - rest.data()) + 1)));
    }
  } else if (word == "bye") {
    member.bye = true;
  } else if (word == "failed") {
    member.bye = true;
    return ErrorEntry{.what = printable(rest, 1000),
                      .where = rank_on_node(member.state.rank, member.state.node),
                      .phase = member.state.phase,
                      .hint = {}};
  }
  return std::nullopt;
}

std::optional<ErrorEntry> RollCallServer::serve() {
  std::optional<ErrorEntry> first;
  for (;;) {
    FileDescriptor fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) break;
    connections_.push_back({std::move(fd), {}, -1});
  }
  for (auto& connection : connections_) {
    const bool open = connection.lines.read_from(connection.fd.get());
    while (connection.fd) {
      const auto line = connection.lines.next();
      if (!line) break;
      auto error = take(connection, *line);
      if (error && !first) first = std::move(error);
    }
    if (open) continue;
    connection.fd = FileDescriptor();
    if (connection.rank < 0) continue;
    Member& member = members_[static_cast<std::size_t>(connection.rank)];
    member.connected = false;
    if (!member.bye && !first) first = blame_for_death(member.state);
    member.bye = true;  // told once
  }
  std::erase_if(connections_, [](const Connection& connection) { return !connection.fd; });
  return first;
}

void RollCallServer::heartbeat() {
  for (const auto& connection : connections_)
    send_all(connection.fd.get(), "here\n");
}

void RollCallServer::end_all() {
  for (const auto& connection : connections_)
    send_all(connection.fd.get(), "end\n");
}

std::vector<RankState> RollCallServer::states() const {
  std::vector<RankState> states;
  for (std::size_t rank = 1; rank < members_.size(); ++rank) {
    RankState state = members_[rank].state;
    state.unchanged_s = since(members_[rank].moved), state.silent_s = since(members_[rank].heard);
    states.push_back(state);
  }
  return states;
}

bool RollCallServer::all_said_bye() const {
  for (std::size_t rank = 1; rank < members_.size(); ++rank)
    if (!members_[rank].bye) return false;
  return true;
}

RollCallClient::RollCallClient(const RollCallAddress& address, int rank, double timeout_s)
    : heard_(Clock::now()) {
  const auto start = Clock::now();
  std::string tried;
  while (!fd_) {
    for (const auto& host : address.addresses) {
      sockaddr_in to{};
      to.sin_family = AF_INET, to.sin_port = htons(address.port);
      if (::inet_pton(AF_INET, host.c_str(), &to.sin_addr) != 1) continue;
      FileDescriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      const bool now = fd && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
      if (fd && !now && errno == EINPROGRESS) {
        pollfd writable{fd.get(), POLLOUT, 0};
        int error = ETIMEDOUT;
        socklen_t length = sizeof error;
        if (::poll(&writable, 1, 1000) == 1) ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
        if (error != 0) continue;
      } else if (!now) {
        continue;
      }
      const int one = 1;
      ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      fd_ = std::move(fd);
      break;
    }
    if (fd_) break;
    if (since(start) > timeout_s) {
      for (const auto& host : address.addresses)
        tried += " " + host;
      throw std::runtime_error("roll call: rank " + std::to_string(rank) + " cannot reach rank 0 at any of" +
                               tried + ", port " + std::to_string(address.port) +
                               "; is a firewall between the nodes?");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  send_line("mlc-bench " + address.token + " " + std::to_string(rank) + "\n");
}

void RollCallClient::send_line(const std::string& line) { send_all(fd_.get(), line); }

void RollCallClient::heartbeat(std::uint64_t sequence, const std::string& phase) {
  send_line("at " + std::to_string(sequence) + " " + printable(phase) + "\n");
}

void RollCallClient::bye() { send_line("bye\n"); }
void RollCallClient::failed(const std::string& message) {
  send_line("failed " + printable(message, 1000) + "\n");
}

RollCallClient::Heard RollCallClient::listen() {
  const bool open = lines_.read_from(fd_.get());
  Heard heard = Heard::nothing;
  while (const auto line = lines_.next()) {
    heard_ = Clock::now();
    if (*line == "end") return Heard::end;
    if (*line == "here") heard = Heard::here;
  }
  return open ? heard : Heard::lost;
}

double RollCallClient::silent_s() const { return since(heard_); }

}  // namespace mlc
