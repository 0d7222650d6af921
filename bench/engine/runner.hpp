// Measures one cell after another, on every rank in step: rank 0 decides when to stop, all obey.
//
// A cell runs in windows. Each window starts with verified iterations on fresh data with poisoned receive
// buffers, goes on with timed iterations, and (out of place, where the result stays put) verifies what the
// last timed one left. Nothing but the operation itself is inside the timed region. Whose time is the
// iteration's: timing.hpp.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/backends/communicator.hpp"
#include "bench/engine/fault.hpp"
#include "bench/engine/sweep.hpp"
#include "bench/engine/timing.hpp"
#include "bench/ranks/pulse.hpp"
#include "reports/record/series.hpp"
#include "validators/host/clock_watch.hpp"

namespace mlc {

// The threshold question of a cell. A sample is the bus bandwidth of a batch of iterations (at least
// `bound`), or its mean time in microseconds (at most `bound`).
struct Question {
  // wire_gb_s: asked as busbw, judged by the bytes that left each node, where the library moved fewer
  // (wire.hpp).
  enum class Metric { busbw_gb_s, wire_gb_s, time_us } metric = Metric::busbw_gb_s;
  double bound = 0;
  double false_admit = 1e-3, false_reject = 1e-2;
  int max_batches = 60;  // quick: then inconclusive
  double batch_s = 0.02;
  double observe_s = 0;  // admission: nothing is concluded on less (stats/judging.hpp); 0: quick
  double stall_s = 0.5;  // admission: by how much one iteration may exceed the median
};

struct RunnerOptions {
  std::optional<int> iterations;  // -n: exactly so many timed iterations; empty: adaptive
  std::optional<int> warmup;      // -w: exactly so many; empty: until two windows agree
  int check = 1;                  // -c: verified iterations at the start of each window; 0: none
  double precision = 0.02;  // adaptive: stop when half the interval of the median is below this share of it
  double max_seconds = 1;   // adaptive: time for one cell, without a question
  double max_seconds_question = 20;
  Timing timing = Timing::slowest;
  std::uint64_t seed = 1;
  int unaligned = 0;  // both buffers begin so many elements behind a page's border
  std::optional<Fault> fault;
};

struct Sampling;

class Runner {
 public:
  // `nodes` by rank, for names. `other_clock`: what `clock` is held against (clock_watch.hpp). `live` (rank 0
  // only, may be empty) hears of progress: a text and the samples so far.
  Runner(Communicator& communicator, Clock& clock, Pulse& pulse, RunnerOptions options,
         std::vector<std::string> nodes, std::function<void(const std::string&)> live = {},
         Clock* other_clock = nullptr);

  // Bytes that prepare() will allocate on this rank.
  static std::uint64_t bytes_needed(const std::vector<Cell>& cells, int rank, int ranks);

  // Allocates for the largest cell. Throws BackendError or std::bad_alloc.
  void prepare(const std::vector<Cell>& cells);

  // Called on every rank with equal arguments; the series is complete on rank 0 only.
  Series measure(const Cell& cell, const std::optional<Question>& question);

  // Which rank's clock cannot be believed, and how; empty where all can. Then the series of the last cell has
  // no times, and no more can be measured. The same on all ranks, as is the next.
  const std::string& clock_fault() const { return clock_fault_; }
  // What is to be said of a fault that was asked for and never came to pass; empty where there is none.
  std::string never_planted();

 private:
  struct Buffers {
    Call call;
    Layout layout;
    std::vector<Segment> received;
    std::byte* recv() const { return static_cast<std::byte*>(call.recv); }
  };
  struct Wrong;  // what a rank found
  std::uint64_t front_of(const Cell& cell) const;
  Buffers buffers_for(const Cell& cell) const;
  void fill(const Cell& cell, const Buffers& buffers);
  void verify(const Cell& cell, const Buffers& buffers, Wrong& wrong);
  void operate(const Call& call, const Collective& collective);
  void verified_iterations(const Cell& cell, const Buffers& buffers, Wrong& wrong);
  struct Window;
  Window timed(const Cell& cell, const Buffers& buffers, int iterations);
  std::vector<double> warm_up(const Cell& cell, const Buffers& buffers, bool& drifting);
  struct Carried;
  Carried carried(const Cell& cell, const Buffers& buffers);
  void ask(const Cell& cell, Question question, const Carried& carried, Sampling& sampling) const;
  int next_window(const std::string& name, Sampling& sampling);
  void settle_clocks(const Sampling& sampling);
  void blame_wrong(const Cell& cell, std::span<const Wrong> by_rank, Series& series) const;

  Communicator& communicator_;
  Clock& clock_;
  Pulse& pulse_;
  RunnerOptions options_;
  std::vector<std::string> nodes_;
  std::function<void(const std::string&)> live_;
  std::shared_ptr<std::byte> send_, recv_;
  std::uint64_t capacity_ = 0;    // bytes of each, without the guard zones
  std::uint32_t iteration_ = 0;   // of the recipe: fresh data each time
  std::uint64_t operations_ = 0;  // begun on this rank
  std::size_t cells_ = 1;         // of the run
  bool fault_is_mine_ = false;
  bool flipped_ = false;
  ClockWatch clock_watch_;
  std::string clock_fault_;
};

}  // namespace mlc
