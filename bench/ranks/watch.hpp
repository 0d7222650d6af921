// One thread that watches the process: no progress within the deadline, a rank that died, a signal. When it
// finds something it tells `on_end` once, on its own thread, and then ends the process: the thread that works
// may be inside a call that never returns.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/ranks/pulse.hpp"
#include "reports/record/exit_code.hpp"
#include "reports/record/report.hpp"

namespace mlc {

class Control;

struct Ending {
  ExitCode code = ExitCode::tool;
  ErrorEntry error;
};

// Signals are taken by the watch alone: call before any thread is started.
void block_signals();
// Without a watch, and with signals blocked: waits until this process is told to stop, or the time is over.
bool told_to_stop(double seconds);

class Watch {
 public:
  struct Options {
    double timeout_s = 60;
    std::string node;  // this node's name
    int rank = 0;      // this process's, as far as known before MPI says
    int size = 1;
    int local_size = 1;  // ranks on this node, as the launcher says
    std::string job;     // for presence; empty: none
    int threads = 1;     // ranks that are threads of this process (loopback)
  };
  // `on_end` runs on rank 0's watch, and on another rank's only when rank 0 cannot: it writes what is to be
  // written, and says what the process ends with.
  Watch(Options options, std::function<ExitCode(const Ending&)> on_end);
  ~Watch();  // orderly: says bye and, on rank 0, waits a moment for the others' bye

  Pulse& pulse(int thread = 0);
  void join(Control& control);  // exchanges names and addresses; throws
  void failed(
      const ErrorEntry& error);  // this rank cannot go on: tell rank 0 and end the process; does not return
  const std::vector<std::string>& nodes() const;  // by rank, after join

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mlc
