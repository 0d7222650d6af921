// Ranks tell where they stand over TCP on the ordinary network, apart from whatever carries the data: so a
// killed rank is known at once (its connection closes), a stopped one or a lost node by its silence, and a
// stuck one by where it stands. Rank 0 hears all of them, in a large job through one rank of each node
// (reporting.hpp).
//
// Heartbeats go by the clock and are read by the clock: nothing that arrives is answered, and data that
// arrives wakes nobody. What cannot wait is the last that its side says, so that the closing itself is the
// bell: poll(2) for POLLRDHUP sleeps through data and wakes for an end.
//
//   up:    "mlc-bench TOKEN RANK\n", then of this rank or of those it speaks for "RANK at SEQUENCE PHASE\n",
//          and at last "RANK bye\n", "RANK failed MESSAGE\n" or "RANK died\n"
//   down:  "here\n", and at last "end\n" when the run is over before its time
#pragma once

#include <netinet/in.h>
#include <poll.h>

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/ranks/blame.hpp"
#include "validators/host/file_descriptor.hpp"

namespace mlc {

// Where rank 0 listens.
struct RollCallAddress {
  std::string token;  // random: another job's rank, or a stranger, is not let in
  std::uint16_t port = 0;
  std::vector<std::string> addresses;  // numeric, of this node's interfaces that are up, loopback last
};

// As one line of words, and back. Throws std::runtime_error.
std::string to_line(const RollCallAddress& address);
RollCallAddress address_from_line(const std::string& line);

// Lines over a socket that never blocks: whole lines in, whole lines out.
class LineSocket {
 public:
  LineSocket() = default;
  explicit LineSocket(FileDescriptor fd) : fd_(std::move(fd)) {}
  int fd() const { return fd_.get(); }
  // Takes what is there, a mebibyte at most. False when the peer has ended, or sends what nobody of ours
  // sends (64 KiB without a line's end).
  bool receive();
  std::optional<std::string> next();  // cut at 4096 bytes
  // What a peer does not take waits; while something waits, a heartbeat is dropped, as the next one says
  // more.
  void send(const std::string& lines);
  void send_last(const std::string& lines);  // and says no more

 private:
  FileDescriptor fd_;
  std::string in_, out_;
  std::size_t taken_ = 0;       // bytes of in_ that next() has given
  std::size_t unfinished_ = 0;  // bytes since the last line's end
};

// Whom a server hears of.
struct Expected {
  int rank = 0;
  std::string node;
  int via = 0;  // the rank whose connection tells of it
};

// A rank that will not go on.
struct Lost {
  int rank = 0;
  std::string message;  // its own last words; empty: it died without
  std::string hint;     // what it said to do next; may be empty
};

class RollCallServer {
 public:
  RollCallServer();  // binds and listens; throws std::system_error
  RollCallAddress address() const;
  void expect(const std::vector<Expected>& ranks);  // after the ranks agreed who they are

  // To poll: new connections (POLLIN) while some are missing, and ends (POLLRDHUP).
  std::vector<pollfd> descriptors() const;
  // Takes what has arrived. Returns the first rank found lost, each one once.
  std::optional<Lost> serve();
  void heartbeat();                       // "here" to all
  void end_all();                         // "end" to all
  std::vector<RankState> states() const;  // as last heard
  RankState state_of(int rank) const;
  std::vector<RankState> news();    // of those heard of since the last call
  double most_unchanged_s() const;  // of all ranks
  bool all_said_bye() const;

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Member {
    RankState state;
    std::string hint;
    int via = 0;
    Time moved{}, heard{};
    bool news = false, done = false;  // done: said bye, or known to be lost
  };
  struct Connection {
    LineSocket socket;
    int rank = -1;       // not known yet
    bool ended = false;  // will say no more; still hears from us
    Time since = std::chrono::steady_clock::now();
  };
  std::optional<Lost> take(Connection& connection, const std::string& line);
  bool introduced(Connection& connection, std::string_view line);

  FileDescriptor listener_;
  bool full_ = false;  // no descriptor is left for another connection, until the next heartbeat
  std::string token_;
  std::uint16_t port_ = 0;
  std::map<int, Member> members_;  // by rank
  std::deque<Connection> connections_;
};

class RollCallClient {
 public:
  // Tries every address until one answers or `timeout_s` is over. Throws std::runtime_error.
  RollCallClient(const RollCallAddress& address, int rank, double timeout_s);
  int descriptor() const { return socket_.fd(); }  // to poll for POLLRDHUP
  void heartbeat(std::span<const RankState> states);
  void bye(const std::vector<int>& ranks);
  void lost(const Lost& lost);
  enum class Heard { nothing, here, end, lost };
  Heard listen();
  double silent_s() const;

 private:
  LineSocket socket_;
  std::chrono::steady_clock::time_point heard_;
};

}  // namespace mlc
