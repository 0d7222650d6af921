// Programs started from here that end with us, however we end.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mlc {

struct ChildEnd {
  std::size_t child = 0;     // in the order of their start
  int code = 0;              // its exit code; 128 + signal where one ended it, as shells have it
  int signal = 0;            // 0: it ended by itself
  std::string text() const;  // "was ended by signal 9 (Killed)", "ended with status 3"
};

// The children of one launch. What they leave behind becomes ours, and nothing of it is left running when
// this is gone. Signals must be blocked (bench/ranks/watch.hpp), and this process have one thread.
class Children {
 public:
  Children();
  Children(const Children&) = delete;
  ~Children();

  // Starts `command` in a process group of its own, so that Ctrl-C comes to us alone. It is told to terminate
  // when this process dies. `environment` is added to ours. `output`: a file descriptor for its stdout and
  // stderr, or -1 for ours. Throws std::system_error if it cannot be started.
  void start(const std::vector<std::string>& command,
             const std::vector<std::pair<std::string, std::string>>& environment, int output = -1);

  void end();                             // what is left of them and theirs, now
  bool any() const { return left_ > 0; }  // that has not ended
  std::optional<ChildEnd> ended();        // the next that has, told once
  void signal(int number) const;          // to all that are left
  // To theirs whose environment has this entry ("NAME=value"). Returns whether there was one.
  bool signal_below(int number, const std::string& entry) const;

  // Until a child has ended, this process is told to stop, or the time is over. Returns the signal that told
  // it, as it is passed on (SIGHUP as SIGTERM), or 0.
  int wait(double seconds) const;

 private:
  std::vector<pid_t> pids_;  // 0: ended
  std::size_t left_ = 0;
};

}  // namespace mlc
