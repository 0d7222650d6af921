#include "bench/ranks/roll_call.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <random>
#include <set>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point time) { return std::chrono::duration<double>(Clock::now() - time).count(); }

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

bool LineSocket::receive() {
  constexpr std::size_t most_at_once = 1 << 20, longest_line = 1 << 16;
  std::array<char, 4096> chunk;
  while (in_.size() < most_at_once) {
    const ssize_t got = ::recv(fd_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    const std::string_view fresh(chunk.data(), static_cast<std::size_t>(got));
    unfinished_ =
        fresh.find('\n') == fresh.npos ? unfinished_ + fresh.size() : fresh.size() - fresh.rfind('\n') - 1;
    in_ += fresh;
    if (unfinished_ > longest_line) return false;
    if (fresh.size() < chunk.size()) return true;  // no more yet; an end is seen by the next call
  }
  return true;
}

std::optional<std::string> LineSocket::next() {
  const auto end = in_.find('\n', taken_);
  if (end == std::string::npos) {
    in_.erase(0, std::exchange(taken_, 0));
    return std::nullopt;
  }
  std::string line = in_.substr(taken_, std::min<std::size_t>(end - taken_, 4096));
  taken_ = end + 1;
  return line;
}

void LineSocket::send(const std::string& lines) {
  if (out_.empty()) out_ = lines;
  const ssize_t sent = ::send(fd_.get(), out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent > 0) out_.erase(0, static_cast<std::size_t>(sent));
}

void LineSocket::send_last(const std::string& lines) {
  out_ += lines;
  send({});
  ::shutdown(fd_.get(), SHUT_WR);
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

void RollCallServer::expect(const std::vector<Expected>& ranks) {
  members_.clear();
  for (const auto& [rank, node, via] : ranks) {
    Member member;
    member.state.rank = rank, member.state.node = node, member.state.phase = "joining";
    member.via = via;
    member.moved = member.heard = Clock::now();
    members_.emplace(rank, std::move(member));
  }
}

std::vector<pollfd> RollCallServer::descriptors() const {
  std::vector<pollfd> fds;
  std::set<int> missing;
  for (const auto& [rank, member] : members_)
    if (!member.done) missing.insert(member.via);
  for (const auto& connection : connections_) {
    missing.erase(connection.rank);
    if (!connection.ended) fds.push_back({connection.socket.fd(), POLLRDHUP, 0});
  }
  if (!missing.empty() && !full_) fds.push_back({listener_.get(), POLLIN, 0});
  return fds;
}

bool RollCallServer::introduced(Connection& connection, std::string_view line) {
  const std::string greeting = "mlc-bench " + token_ + " ";
  if (!line.starts_with(greeting)) return false;
  line.remove_prefix(greeting.size());
  int rank = -1;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), rank);
  if (error != std::errc{} || end != line.data() + line.size()) return false;
  if (std::ranges::none_of(members_, [&](const auto& entry) { return entry.second.via == rank; }))
    return false;
  connection.rank = rank;
  return true;
}

std::optional<Lost> RollCallServer::take(Connection& connection, const std::string& line) {
  int rank = -1;
  const auto [after, error] = std::from_chars(line.data(), line.data() + line.size(), rank);
  const auto found = members_.find(rank);
  if (error != std::errc{} || found == members_.end() || found->second.via != connection.rank)
    return std::nullopt;
  Member& member = found->second;
  std::string_view rest(after, line.data() + line.size());
  const auto word = [&] {
    rest.remove_prefix(std::min<std::size_t>(rest.size(), 1));
    const auto found_word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(found_word.size());
    return found_word;
  };
  const auto what = word();
  member.heard = Clock::now(), member.news = true;
  if (what == "at") {
    std::uint64_t sequence = 0;
    const auto number = word();
    std::from_chars(number.data(), number.data() + number.size(), sequence);
    if (sequence == member.state.sequence) return std::nullopt;
    member.state.sequence = sequence, member.moved = member.heard;
    member.state.phase = printable(rest.substr(std::min<std::size_t>(rest.size(), 1)));
  } else if (what == "next") {
    member.hint = printable(rest.substr(std::min<std::size_t>(rest.size(), 1)), 1000);
  } else if (what == "bye") {
    member.done = true;
  } else if ((what == "failed" || what == "died") && !std::exchange(member.done, true)) {
    return Lost{.rank = rank,
                .message = what == "failed"
                               ? printable(rest.substr(std::min<std::size_t>(rest.size(), 1)), 1000)
                               : "",
                .hint = member.hint};
  }
  return std::nullopt;
}

std::optional<Lost> RollCallServer::serve() {
  std::optional<Lost> first;
  for (;;) {
    FileDescriptor fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) {
      full_ = errno == EMFILE || errno == ENFILE;
      break;
    }
    connections_.push_back({.socket = LineSocket(std::move(fd))});
  }
  std::erase_if(connections_, [&](Connection& connection) {
    if (connection.ended) return false;
    const bool open = connection.socket.receive();
    while (const auto line = connection.socket.next()) {
      if (connection.rank < 0) {
        if (!introduced(connection, *line)) return true;  // a stranger
      } else if (auto lost = take(connection, *line); lost && !first) {
        first = std::move(lost);
      }
    }
    // Who says nothing for ten seconds is nobody of ours.
    if (open) return connection.rank < 0 && since(connection.since) > 10;
    connection.ended = true;
    const auto own = members_.find(connection.rank);
    if (own != members_.end() && !std::exchange(own->second.done, true) && !first)
      first = Lost{.rank = own->first};
    return connection.rank < 0;
  });
  return first;
}

void RollCallServer::heartbeat() {
  full_ = false;
  for (auto& connection : connections_)
    if (!connection.ended) connection.socket.send("here\n");
}

void RollCallServer::end_all() {
  for (auto& connection : connections_)
    connection.socket.send_last("end\n");
}

RankState RollCallServer::state_of(int rank) const {
  const Member& member = members_.at(rank);
  RankState state = member.state;
  state.unchanged_s = since(member.moved), state.silent_s = since(member.heard);
  return state;
}

std::vector<RankState> RollCallServer::states() const {
  std::vector<RankState> states;
  for (const auto& [rank, member] : members_)
    states.push_back(state_of(rank));
  return states;
}

std::vector<RankState> RollCallServer::news() {
  std::vector<RankState> states;
  for (auto& [rank, member] : members_)
    if (std::exchange(member.news, false)) states.push_back(member.state);
  return states;
}

double RollCallServer::most_unchanged_s() const {
  auto oldest = Clock::now();
  for (const auto& [rank, member] : members_)
    oldest = std::min(oldest, member.moved);
  return since(oldest);
}

bool RollCallServer::all_said_bye() const {
  return std::ranges::all_of(members_, [](const auto& entry) { return entry.second.done; });
}

RollCallClient::RollCallClient(const RollCallAddress& address, int rank, double timeout_s)
    : heard_(Clock::now()) {
  const auto start = Clock::now();
  std::string tried;
  while (socket_.fd() < 0) {
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
      socket_ = LineSocket(std::move(fd));
      break;
    }
    if (socket_.fd() >= 0) break;
    if (since(start) > timeout_s) {
      for (const auto& host : address.addresses)
        tried += " " + host;
      throw std::runtime_error("roll call: rank " + std::to_string(rank) + " cannot be heard at any of" +
                               tried + ", port " + std::to_string(address.port) +
                               "; is a firewall between the nodes?");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  socket_.send("mlc-bench " + address.token + " " + std::to_string(rank) + "\n");
}

void RollCallClient::heartbeat(std::span<const RankState> states) {
  std::string lines;
  for (const auto& state : states)
    lines += std::to_string(state.rank) + " at " + std::to_string(state.sequence) + " " +
             printable(state.phase) + "\n";
  socket_.send(lines);
}

void RollCallClient::bye(const std::vector<int>& ranks) {
  std::string lines;
  for (int rank : ranks)
    lines += std::to_string(rank) + " bye\n";
  socket_.send_last(lines);
}

void RollCallClient::lost(const Lost& lost) {
  const std::string rank = std::to_string(lost.rank);
  socket_.send_last((lost.hint.empty() ? "" : rank + " next " + printable(lost.hint, 1000) + "\n") + rank +
                    (lost.message.empty() ? " died" : " failed " + printable(lost.message, 1000)) + "\n");
}

RollCallClient::Heard RollCallClient::listen() {
  const bool open = socket_.receive();
  Heard heard = Heard::nothing;
  while (const auto line = socket_.next()) {
    heard_ = Clock::now();
    if (*line == "end") return Heard::end;
    if (*line == "here") heard = Heard::here;
  }
  return open ? heard : Heard::lost;
}

double RollCallClient::silent_s() const { return since(heard_); }

}  // namespace mlc
