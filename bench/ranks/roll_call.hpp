// Rank 0 hears every other rank's heartbeat over TCP on the ordinary network, apart from whatever carries the
// data: so a killed rank is known at once (its connection closes), a stopped one or a lost node by its
// silence, and a stuck one by where it stands. One line a message, four a second.
//
//   rank -> 0:  "mlc-bench TOKEN RANK\n", then "at SEQUENCE PHASE\n", and before it leaves "bye\n" or "failed
//   MESSAGE\n" 0 -> rank:  "here\n", and "end\n" when the run is over before its time
#pragma once

#include <netinet/in.h>

#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <string>
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

// Whole lines out of a stream; a line over 4096 bytes ends the connection (nobody of ours sends one).
class LineBuffer {
 public:
  // Reads what is there without blocking. False when the peer is gone.
  bool read_from(int fd);
  std::optional<std::string> next();

 private:
  std::string bytes_;
};

class RollCallServer {
 public:
  RollCallServer();  // binds and listens; throws std::system_error
  RollCallAddress address() const;
  void expect(std::vector<std::string> nodes_by_rank);  // after the ranks agreed who they are

  std::vector<int> descriptors() const;  // to poll for input
  // Takes what has arrived. Returns the first death or failure found.
  std::optional<ErrorEntry> serve();
  void heartbeat();                       // "here" to all
  void end_all();                         // "end" to all
  std::vector<RankState> states() const;  // of ranks 1.., as last heard
  bool all_said_bye() const;

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Member {
    RankState state;
    Time moved{}, heard{};
    bool connected = false, bye = false;
  };
  struct Connection {
    FileDescriptor fd;
    LineBuffer lines;
    int rank = -1;  // not known yet
  };
  std::optional<ErrorEntry> take(Connection& connection, const std::string& line);

  FileDescriptor listener_;
  std::string token_;
  std::uint16_t port_ = 0;
  std::vector<Member> members_;  // by rank; [0] unused
  std::deque<Connection> connections_;
};

class RollCallClient {
 public:
  // Tries every address until one answers or `timeout_s` is over. Throws std::runtime_error.
  RollCallClient(const RollCallAddress& address, int rank, double timeout_s);
  int descriptor() const { return fd_.get(); }
  void heartbeat(std::uint64_t sequence, const std::string& phase);
  void bye();
  void failed(const std::string& message);
  enum class Heard { nothing, here, end, lost };
  Heard listen();
  double silent_s() const;

 private:
  void send_line(const std::string& line);
  FileDescriptor fd_;
  LineBuffer lines_;
  std::chrono::steady_clock::time_point heard_;
};

}  // namespace mlc
