#include "bench/fleet/measurement/tcp_engine.hpp"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <thread>

#include "reports/record/text.hpp"
#include "reports/record/whole_number.hpp"
#include "validators/host/file_descriptor.hpp"

namespace mlc::fleet {

namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::size_t chunk = 256 << 10;
// So little waits in the socket that what was sent is what went out.
constexpr int most_unsent = 128 << 10;
constexpr int backlog = 256, tick_ms = 10;
constexpr std::size_t most_guests = 1024;
// The receiving end closes when it has counted enough; until then, and no longer, the sender goes on.
constexpr double sends_on_s = 3;
// Of the windows that a sender must have had until the other end closed: the two began a little apart.
constexpr double least_of_windows = .8;

constexpr const char* ended_early = "the test was told to end";

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

sockaddr_in socket_address(Ipv4 address, int port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(address.bits);
  at.sin_port = htons(static_cast<std::uint16_t>(port));
  return at;
}

template <class T>
void set_option(int fd, int level, int option, const T& value) {
  ::setsockopt(fd, level, option, &value, sizeof value);
}

FileDescriptor stream_socket() {
  return FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// Ended at once, with nothing left over: the same ports are used again for the next test.
void end_at_once(FileDescriptor& socket) {
  if (socket) set_option(socket.get(), SOL_SOCKET, SO_LINGER, linger{1, 0});
  socket = FileDescriptor();
}

// What the connecting end says first. Of a fixed length, so that nothing of the data is taken with it.
constexpr std::size_t greeting_bytes = token_bytes + 2;
std::string greeting(const std::string& token, std::size_t rail, std::size_t queue_pair) {
  return token + static_cast<char>('A' + rail) + static_cast<char>('a' + queue_pair);
}

struct Listener {
  FileDescriptor socket;
  int port = 0;
};

// One connection: 'out' was made here and carries what this end sends, 'in' was taken.
struct Connection {
  FileDescriptor socket;
  std::string error = "no connection within the time";
  std::string greeting;  // what is still to be said (out) or was heard (in)
  bool ready = false;
};

using Connections = std::array<Connection, queue_pairs>;

struct TcpEngine;

class TcpEnd final : public TestEnd {
 public:
  TcpEnd(TcpEngine& engine, TestTerms terms);
  Json offer() override;
  void connect(const Json& offer) override;
  std::vector<RailSides> measure(const std::function<bool()>& alive) override;

 private:
  void begin(std::size_t rail, std::size_t queue_pair, Ipv4 to, int port);
  void go_on(Connection& out);
  void take(Listener& listener);
  void listen(Connection& guest);
  bool complete() const;
  FlowSide send(Connections& out, Clock::time_point start);
  FlowSide receive(Connections& in, Clock::time_point start);

  TcpEngine& engine_;
  TestTerms terms_;
  std::vector<std::string> problems_;  // of each rail, at either end
  std::vector<Connections> out_, in_;  // by rail
  std::vector<Connection> guests_;
  std::atomic<bool> stop_{false};
};

struct TcpEngine final : Engine {
  explicit TcpEngine(std::vector<TcpRail> given) : own(std::move(given)) {
    for (auto& rail : own) {
      auto& listener = listeners.emplace_back();
      if (rail.problem.empty()) rail.problem = listen(listener, rail.address);
      facts.push_back({rail.name, rail.gbit_s, rail.problem});
    }
  }
  static std::string listen(Listener& listener, Ipv4 address) {
    listener.socket = stream_socket();
    const int on = 1;
    set_option(listener.socket.get(), SOL_SOCKET, SO_REUSEADDR, on);
    sockaddr_in at = socket_address(address, 0);
    socklen_t length = sizeof at;
    if (!listener.socket || ::bind(listener.socket.get(), reinterpret_cast<sockaddr*>(&at), length) != 0 ||
        ::listen(listener.socket.get(), backlog) != 0 ||
        ::getsockname(listener.socket.get(), reinterpret_cast<sockaddr*>(&at), &length) != 0)
      return "cannot listen on " + to_string(address) + ": " + std::strerror(errno);
    listener.port = ntohs(at.sin_port);
    return {};
  }

  std::string_view name() const override { return "tcp"; }
  const std::vector<EngineRail>& rails() const override { return facts; }
  std::unique_ptr<TestEnd> begin(const TestTerms& terms) override {
    return std::make_unique<TcpEnd>(*this, terms);
  }

  std::vector<TcpRail> own;
  std::vector<Listener> listeners;
  std::vector<EngineRail> facts;
};

TcpEnd::TcpEnd(TcpEngine& engine, TestTerms terms)
    : engine_(engine), terms_(std::move(terms)), out_(engine.own.size()), in_(engine.own.size()) {
  for (const auto& rail : engine.own)
    problems_.push_back(rail.problem);
}

Json TcpEnd::offer() {
  Json rails = Json::array();
  for (std::size_t i = 0; i < engine_.own.size(); ++i)
    if (problems_[i].empty())
      rails.push_back({{"address", to_string(engine_.own[i].address)}, {"port", engine_.listeners[i].port}});
    else
      rails.push_back({{"problem", problems_[i]}});
  return rails;
}

void TcpEnd::begin(std::size_t rail, std::size_t queue_pair, Ipv4 to, int port) {
  Connection& out = out_[rail][queue_pair];
  out.socket = stream_socket();
  const int on = 1;
  set_option(out.socket.get(), SOL_SOCKET, SO_REUSEADDR, on);
  set_option(out.socket.get(), IPPROTO_TCP, TCP_NODELAY, on);
  set_option(out.socket.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, most_unsent);
  const int own_port = first_source_port + source_port_of(terms_, static_cast<int>(queue_pair));
  // Where another program has that port, any: the path is then another one, and so is the next time's.
  for (const int each : {own_port, 0}) {
    const sockaddr_in from = socket_address(engine_.own[rail].address, each);
    if (::bind(out.socket.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from) == 0) break;
  }
  const sockaddr_in at = socket_address(to, port);
  out.greeting = greeting(terms_.token, rail, queue_pair);
  if (::connect(out.socket.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 &&
      errno != EINPROGRESS) {
    out.error = std::strerror(errno);
    out.socket = FileDescriptor();
  }
}

void TcpEnd::go_on(Connection& out) {
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(out.socket.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error == 0) {
    const ssize_t sent = ::send(out.socket.get(), out.greeting.data(), out.greeting.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      out.greeting.erase(0, static_cast<std::size_t>(sent));
      if (out.greeting.empty()) out.ready = true, out.error.clear();
      return;
    }
    if (errno == EAGAIN || errno == EINTR) return;
    error = errno;
  }
  out.error = std::strerror(error);
  out.socket = FileDescriptor();
}

void TcpEnd::take(Listener& listener) {
  for (;;) {
    FileDescriptor socket(::accept4(listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) return;
    if (guests_.size() < most_guests) guests_.emplace_back().socket = std::move(socket);
  }
}

// Takes a guest's greeting; whoever has not this test's token is sent away.
void TcpEnd::listen(Connection& guest) {
  std::array<char, greeting_bytes> part{};
  const ssize_t got =
      ::recv(guest.socket.get(), part.data(), greeting_bytes - guest.greeting.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got > 0) guest.greeting.append(part.data(), static_cast<std::size_t>(got));
  if (got > 0 && guest.greeting.size() < greeting_bytes) return;
  if (got > 0 && guest.greeting.starts_with(terms_.token)) {
    const auto rail = static_cast<std::size_t>(guest.greeting[token_bytes] - 'A'),
               queue_pair = static_cast<std::size_t>(guest.greeting[token_bytes + 1] - 'a');
    if (rail < in_.size() && queue_pair < queue_pairs && !in_[rail][queue_pair].ready) {
      Connection& in = in_[rail][queue_pair];
      in.socket = std::move(guest.socket), in.ready = true, in.error.clear();
    }
  }
  guest.socket = FileDescriptor();
}

bool TcpEnd::complete() const {
  for (std::size_t rail = 0; rail < out_.size(); ++rail)
    for (std::size_t q = 0; problems_[rail].empty() && q < queue_pairs; ++q)
      if ((!out_[rail][q].ready && out_[rail][q].socket) || !in_[rail][q].ready) return false;
  return true;
}

void TcpEnd::connect(const Json& offer) {
  if (!offer.is_array() || offer.size() != out_.size())
    throw std::runtime_error("the other end has " + std::to_string(offer.is_array() ? offer.size() : 0) +
                             " rails, this one " + std::to_string(out_.size()));
  for (std::size_t rail = 0; rail < out_.size(); ++rail) {
    if (offer[rail].contains("problem")) {
      if (problems_[rail].empty())
        problems_[rail] = "the other end: " + printable(offer[rail]["problem"].get<std::string>(), 200);
      continue;
    }
    const auto to = parse_ipv4(offer[rail].at("address").get<std::string>());
    if (!to) throw std::runtime_error("the other end has no address on rail " + std::to_string(rail));
    for (std::size_t q = 0; problems_[rail].empty() && q < queue_pairs; ++q)
      begin(rail, q, *to, whole_number<int>(offer[rail].at("port")));
  }
  for (const auto start = Clock::now(); !complete() && seconds_since(start) < terms_.connect_s;) {
    std::vector<pollfd> waiting;
    for (const auto& listener : engine_.listeners)
      waiting.push_back({listener.socket.get(), POLLIN, 0});
    for (const auto& guest : guests_)
      waiting.push_back({guest.socket.get(), POLLIN, 0});
    std::vector<Connection*> outward;
    for (auto& rail : out_)
      for (auto& out : rail)
        if (out.socket && !out.ready)
          outward.push_back(&out), waiting.push_back({out.socket.get(), POLLOUT, 0});
    if (::poll(waiting.data(), waiting.size(), tick_ms) <= 0) continue;
    for (std::size_t i = 0; i < outward.size(); ++i)
      if (waiting[waiting.size() - outward.size() + i].revents != 0) go_on(*outward[i]);
    for (auto& listener : engine_.listeners)
      if (listener.socket) take(listener);
    for (auto& guest : guests_)
      listen(guest);
    std::erase_if(guests_, [](const Connection& guest) { return !guest.socket; });
  }
  guests_.clear();
}

// Where windows go, from the end of the warm-up on.
struct Counted {
  Windows windows;
  double window_s;
  Clock::time_point from;
  // False: before the first window or after the last.
  bool add(std::size_t queue_pair, std::size_t bytes) {
    const double at = seconds_since(from) / window_s;
    if (at < 0 || at >= static_cast<double>(windows.size())) return false;
    windows[static_cast<std::size_t>(at)][queue_pair] += bytes;
    return true;
  }
  bool over() const { return seconds_since(from) >= window_s * static_cast<double>(windows.size()); }
};

Counted counting(const TestTerms& terms, Clock::time_point start) {
  return {
      Windows(windows_a_test), terms.test_s / windows_a_test,
      start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(terms.warm_up_s))};
}

// What the other end has acknowledged, window after window: what was written may still lie in a buffer here.
class Acknowledged {
 public:
  Acknowledged(const Connections& out, Counted counted) : out_(out), counted_(std::move(counted)) {}

  void look() {
    const double at = seconds_since(counted_.from) / counted_.window_s;
    const auto now = static_cast<std::ptrdiff_t>(std::min(at, static_cast<double>(windows_a_test)));
    if (at < 0 || now == last_) return;
    for (std::size_t q = 0; q < queue_pairs; ++q) {
      if (!out_[q].ready) continue;
      tcp_info info{};
      socklen_t length = sizeof info;
      ::getsockopt(out_[q].socket.get(), IPPROTO_TCP, TCP_INFO, &info, &length);
      // Where nobody looked for several windows, each has its share.
      for (std::ptrdiff_t i = last_; last_ >= 0 && i < now; ++i)
        counted_.windows[static_cast<std::size_t>(i)][q] +=
            (info.tcpi_bytes_acked - bytes_[q]) / static_cast<std::uint64_t>(now - last_);
      bytes_[q] = info.tcpi_bytes_acked;
    }
    last_ = now;
  }
  Windows whole() const {
    Windows windows = counted_.windows;
    windows.resize(static_cast<std::size_t>(std::max<std::ptrdiff_t>(last_, 0)));
    return windows;
  }

 private:
  const Connections& out_;
  Counted counted_;
  std::array<std::uint64_t, queue_pairs> bytes_{};
  std::ptrdiff_t last_ = -1;  // the window in which it looked last; -1: not yet
};

// Why these carry nothing; empty where one of them is there: the others are paths that are dead, and said to
// be.
std::string missing_in(const Connections& connections) {
  for (const auto& each : connections)
    if (each.ready) return {};
  return connections.front().error;
}

FlowSide TcpEnd::send(Connections& out, Clock::time_point start) {
  static const std::vector<char> data(chunk, 'm');
  FlowSide side;
  side.error = missing_in(out);
  if (!side.error.empty()) return side;
  Acknowledged acknowledged(out, counting(terms_, start));
  std::array<pollfd, queue_pairs> waiting{};
  for (std::size_t q = 0; q < queue_pairs; ++q)
    waiting[q] = {out[q].ready ? out[q].socket.get() : -1, POLLOUT, 0};
  const double longest = terms_.warm_up_s + terms_.test_s + sends_on_s;
  int error = 0;
  while (!stop_ && error == 0 && seconds_since(start) < longest) {
    const bool writable = ::poll(waiting.data(), waiting.size(), tick_ms) > 0;
    acknowledged.look();
    for (std::size_t q = 0; writable && q < queue_pairs; ++q)
      if (waiting[q].revents != 0 &&
          ::send(waiting[q].fd, data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
          errno != EAGAIN && errno != EINTR)
        error = errno;
  }
  // An end before the last window is the other one's, which began a little earlier and has counted enough.
  const Windows windows = acknowledged.whole();
  if (stop_)
    side.error = ended_early;
  else if (static_cast<double>(windows.size()) < least_of_windows * windows_a_test)
    side.error = error == 0 ? "nothing was taken in time" : std::strerror(error);
  else
    return side_of(windows, terms_.test_s / windows_a_test);
  return side;
}

FlowSide TcpEnd::receive(Connections& in, Clock::time_point start) {
  FlowSide side;
  side.error = missing_in(in);
  if (!side.error.empty()) return side;
  Counted counted = counting(terms_, start);
  std::uint64_t arrivals = 0;
  std::vector<char> data(chunk);
  std::array<pollfd, queue_pairs> waiting{};
  for (std::size_t q = 0; q < queue_pairs; ++q)
    waiting[q] = {in[q].ready ? in[q].socket.get() : -1, POLLIN, 0};
  while (!stop_ && !counted.over()) {
    if (::poll(waiting.data(), waiting.size(), tick_ms) <= 0) continue;
    for (std::size_t q = 0; q < queue_pairs; ++q) {
      if (waiting[q].revents == 0) continue;
      const ssize_t got = ::recv(waiting[q].fd, data.data(), data.size(), MSG_DONTWAIT);
      if (got > 0) {
        arrivals += counted.add(q, static_cast<std::size_t>(got)) ? 1 : 0;
      } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        side.error = got == 0 ? "the other end stopped sending" : std::strerror(errno);
        return side;
      }
    }
  }
  for (auto& each : in)
    end_at_once(each.socket);
  if (stop_) side.error = ended_early;
  return stop_ ? side : side_of(counted.windows, counted.window_s, arrivals);
}

std::vector<RailSides> TcpEnd::measure(const std::function<bool()>& alive) {
  std::vector<RailSides> sides(out_.size());
  const auto start = Clock::now();
  std::atomic<std::size_t> working{0};
  {
    std::vector<std::jthread> threads;
    for (std::size_t rail = 0; rail < out_.size(); ++rail) {
      if (!problems_[rail].empty()) {
        sides[rail].sent.error = sides[rail].received.error = problems_[rail];
        continue;
      }
      working += 2;
      threads.emplace_back([&, rail] { sides[rail].sent = send(out_[rail], start), --working; });
      threads.emplace_back([&, rail] { sides[rail].received = receive(in_[rail], start), --working; });
    }
    while (working > 0) {
      ::poll(nullptr, 0, 100);
      if (!alive()) stop_ = true;
    }
  }
  for (auto* rails : {&out_, &in_})
    for (auto& rail : *rails)
      for (auto& each : rail)
        end_at_once(each.socket);
  return sides;
}

}  // namespace

std::unique_ptr<Engine> tcp_engine(std::vector<TcpRail> rails) {
  return std::make_unique<TcpEngine>(std::move(rails));
}

}  // namespace mlc::fleet
