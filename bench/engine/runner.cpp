#include "bench/engine/runner.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstring>
#include <numeric>
#include <set>
#include <thread>

#include "bench/engine/mismatch.hpp"
#include "bench/engine/sampling.hpp"
#include "bench/engine/wire.hpp"
#include "bench/stats/slow_rank.hpp"
#include "bench/stats/statistics.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

// Bytes either side of the receive buffer. Not a multiple of the page size: were both buffers page-aligned,
// stores to one and loads from the other would share their low 12 address bits, and the CPU takes those for
// dependent (4 KiB aliasing).
constexpr std::uint64_t guard = 6144;
constexpr std::uint8_t guard_byte = 0xa5;
constexpr std::uint64_t widest = 8;  // bytes of an element
// Verification leaves the caches cold, which large messages feel for some iterations: a few are not timed,
// and a window has enough of them that its median does not see the rest (sampling.cpp).
constexpr int untimed_after_check = 2;

}  // namespace

// Plain data: it is gathered from all ranks.
struct Runner::Wrong {
  std::uint64_t elements = 0;
  std::uint64_t first = 0, expected = 0, actual = 0;
  std::array<char, 128> kind{};

  void note(std::uint64_t count, std::uint64_t index, std::uint64_t want, std::uint64_t got,
            const std::string& text) {
    if (elements == 0) {
      first = index, expected = want, actual = got;
      std::strncpy(kind.data(), text.c_str(), kind.size() - 1);
    }
    elements += count;
  }
};

Runner::Runner(Communicator& communicator, Clock& clock, Pulse& pulse, RunnerOptions options,
               std::vector<std::string> nodes, std::function<void(const std::string&)> live,
               Clock* other_clock)
    : communicator_(communicator),
      clock_(clock),
      pulse_(pulse),
      options_(options),
      nodes_(std::move(nodes)),
      live_(std::move(live)),
      fault_is_mine_(options_.fault && options_.fault->place == communicator.control().rank()),
      clock_watch_(clock, other_clock) {}

namespace {

std::uint64_t largest_buffer(const std::vector<Cell>& cells, int rank, int ranks) {
  std::uint64_t bytes = 0;
  for (const Cell& cell : cells) {
    const Layout layout = cell.collective->layout({rank, ranks, cell.root, cell.count});
    const std::uint64_t elements = std::max({layout.send, layout.recv, layout.whole});
    bytes = std::max(bytes, elements * static_cast<std::uint64_t>(width_of(cell.dtype)));
  }
  return bytes;
}

}  // namespace

std::uint64_t Runner::bytes_needed(const std::vector<Cell>& cells, int rank, int ranks) {
  return 2 * largest_buffer(cells, rank, ranks) + 2 * guard;
}

void Runner::prepare(const std::vector<Cell>& cells) {
  Control& control = communicator_.control();
  cells_ = cells.size();
  capacity_ = largest_buffer(cells, control.rank(), control.size());
  pulse_.enter("allocating 2 x " + bytes_text(capacity_));
  capacity_ += static_cast<std::uint64_t>(options_.unaligned) * widest;
  send_ = communicator_.memory().allocate(capacity_);
  recv_ = communicator_.memory().allocate(capacity_ + 2 * guard);
  communicator_.memory().set(send_.get(), capacity_, 0);
  communicator_.memory().set(recv_.get(), capacity_ + 2 * guard, guard_byte);
}

// Bytes before the receive buffer of a cell.
std::uint64_t Runner::front_of(const Cell& cell) const {
  return guard + static_cast<std::uint64_t>(options_.unaligned * width_of(cell.dtype));
}

Runner::Buffers Runner::buffers_for(const Cell& cell) const {
  Control& control = communicator_.control();
  const Shape shape{control.rank(), control.size(), cell.root, cell.count};
  const auto width = static_cast<std::uint64_t>(width_of(cell.dtype));
  Buffers buffers;
  buffers.layout = cell.collective->layout(shape);
  buffers.received = cell.collective->received(shape);
  std::byte* const whole = recv_.get() + front_of(cell);
  const bool in_place = cell.placement == Placement::in_place;
  buffers.call = {
      .send = in_place ? whole + buffers.layout.send_at * width : send_.get() + (front_of(cell) - guard),
      .recv = in_place ? whole + buffers.layout.recv_at * width : whole,
      .count = cell.count,
      .dtype = cell.dtype,
      .redop = cell.redop,
      .root = cell.root,
      .in_place = in_place};
  return buffers;
}

// Fresh data, the receive buffer poisoned, the guard zones renewed where an earlier cell wrote: behind it a
// larger one, and before it one of narrower elements.
void Runner::fill(const Cell& cell, const Buffers& buffers) {
  Memory& memory = communicator_.memory();
  const auto width = static_cast<std::uint64_t>(width_of(cell.dtype));
  const bool in_place = cell.placement == Placement::in_place;
  const std::uint64_t elements = in_place ? buffers.layout.whole : buffers.layout.recv;
  std::byte* const whole = recv_.get() + front_of(cell);
  ++iteration_;
  if (options_.unaligned > 0) memory.set(recv_.get(), front_of(cell), guard_byte);
  memory.set(whole, elements * width, poison_byte);
  memory.set(whole + elements * width, guard, guard_byte);
  if (buffers.layout.send > 0)
    memory.fill(
        const_cast<void*>(buffers.call.send), buffers.layout.send,
        {.dtype = cell.dtype,
         .op = cell.collective->reduces ? op_of(cell.redop) : pattern::Op::copy,
         .recipe = {options_.seed, iteration_, static_cast<std::uint32_t>(communicator_.control().size())},
         .source = static_cast<std::uint32_t>(communicator_.control().rank())});
}

void Runner::verify(const Cell& cell, const Buffers& buffers, Wrong& wrong) {
  Memory& memory = communicator_.memory();
  const auto width = static_cast<std::uint64_t>(width_of(cell.dtype));
  for (const Segment& segment : buffers.received) {
    DataSpec spec{
        .dtype = cell.dtype,
        .op = segment.reduced ? op_of(cell.redop) : pattern::Op::copy,
        .recipe = {options_.seed, iteration_, static_cast<std::uint32_t>(communicator_.control().size())},
        .source = segment.source,
        .index = segment.index};
    const VerifyResult result = memory.verify(buffers.recv() + segment.offset * width, segment.count, spec);
    if (result.wrong == 0) continue;
    spec.index += result.first;
    const std::string kind = likely_kind({.spec = spec,
                                          .expected = result.expected,
                                          .actual = result.actual,
                                          .wrong_in_stretch = result.wrong,
                                          .chunk = cell.collective->chunked ? cell.count : 0});
    wrong.note(result.wrong, segment.offset + result.first, result.expected, result.actual, kind);
  }
  const bool in_place = cell.placement == Placement::in_place;
  const std::uint64_t elements = in_place ? buffers.layout.whole : buffers.layout.recv;
  const std::uint64_t outside =
      memory.count_other_than(recv_.get(), front_of(cell), guard_byte) +
      memory.count_other_than(recv_.get() + front_of(cell) + elements * width, guard, guard_byte);
  if (outside > 0) wrong.note(outside, elements, 0, 0, "bytes outside the receive buffer were overwritten");
}

void Runner::operate(const Call& call, const Collective& collective) {
  if (fault_is_mine_) [[unlikely]] {
    const Fault& fault = *options_.fault;
    if (fault.kind == Fault::Kind::hang && operations_ >= fault.after)
      for (;;)
        std::this_thread::sleep_for(std::chrono::hours(1));
    if (fault.kind == Fault::Kind::die && operations_ >= fault.after) std::raise(SIGKILL);
  }
  ++operations_;
  pulse_.tick();
  collective.run(communicator_, call);
  if (fault_is_mine_ && options_.fault->kind == Fault::Kind::delay) [[unlikely]] {
    const double until = clock_.now() + options_.fault->delay_us / 1e6;
    while (clock_.now() < until) {
    }
  }
}

void Runner::verified_iterations(const Cell& cell, const Buffers& buffers, Wrong& wrong) {
  const auto width = static_cast<std::uint64_t>(width_of(cell.dtype));
  for (int i = 0; i < options_.check; ++i) {
    fill(cell, buffers);
    communicator_.control().barrier();  // the others' buffers are ready too
    operate(buffers.call, *cell.collective);
    const auto& fault = options_.fault;
    if (fault_is_mine_ && fault->kind == Fault::Kind::flip && !flipped_ &&
        fault->index < buffers.layout.recv) {
      communicator_.memory().flip_bit(buffers.recv() + fault->index * width,
                                      static_cast<std::uint64_t>(fault->bit));
      flipped_ = true;
    }
    verify(cell, buffers, wrong);
    pulse_.tick();
  }
}

// One stretch of iterations that followed each other.
struct Runner::Window {
  std::vector<double> seconds, own;  // of each iteration: as timing.hpp says, and this rank's own
  std::uint64_t slowest = 0;         // iterations in which this rank was
  double wall_s = 0;                 // by this rank's clock, waits between the iterations included
};

Runner::Window Runner::timed(const Cell& cell, const Buffers& buffers, int iterations) {
  Window window;
  window.own.resize(static_cast<std::size_t>(iterations));
  const auto operation = [&] { operate(buffers.call, *cell.collective); };
  communicator_.control().barrier();  // the others may still be verifying
  const double start = clock_.now();
  if (options_.timing == Timing::slowest)
    communicator_.measure(clock_, operation, window.own);
  else
    time_calls(communicator_.control(), clock_, operation, window.own);
  window.wall_s = clock_.now() - start;
  for (double& seconds : window.own)
    if (!std::isfinite(seconds)) seconds = 0;  // no time, as the judge is told
  std::vector<double> most = window.own;
  communicator_.control().maximum(most);
  std::vector<double> most_alike = most;
  if (cell.collective->rooted) {
    most_alike = window.own;
    if (communicator_.control().rank() == cell.root) std::ranges::fill(most_alike, 0);
    communicator_.control().maximum(most_alike);
  }
  for (std::size_t i = 0; i < most.size(); ++i)
    window.slowest += window.own[i] >= most_alike[i] ? 1 : 0;
  pulse_.tick();
  window.seconds = most;
  if (options_.timing != Timing::slowest)
    window.seconds = window.own, mean_over_ranks(communicator_.control(), window.seconds);
  return window;
}

// Discards iterations until two successive windows agree within 5 % (their medians), or the time for it is
// over.
std::vector<double> Runner::warm_up(const Cell& cell, const Buffers& buffers, bool& drifting) {
  Control& control = communicator_.control();
  if (options_.warmup)
    return *options_.warmup > 0 ? timed(cell, buffers, *options_.warmup).seconds : std::vector<double>();
  const double start = clock_.now();
  std::vector<double> window = timed(cell, buffers, least_in_window).seconds;
  for (;;) {
    const double before = median(window);
    const int iterations =
        std::clamp(static_cast<int>(window_seconds / 5 / std::max(before, 1e-9)), least_in_window, 200);
    window = timed(cell, buffers, iterations).seconds;
    const double now = median(window);
    const bool settled = std::fabs(now - before) <= 0.05 * now;
    const bool late = clock_.now() - start > options_.max_seconds / 3;
    // 0: go on, 1: settled, 2: out of time
    const int order = agree(control, settled ? 1 : late ? 2 : 0);
    drifting = order == 2;
    if (order != 0) return window;
  }
}

// What the library says it does with this cell; what of it the wire carries where that is less than busbw
// counts.
struct Runner::Carried {
  std::optional<Tuning> tuning;
  double wire = 0;  // times bytes; 0: not known
  bool less_than_busbw = false;
};

Runner::Carried Runner::carried(const Cell& cell, const Buffers& buffers) {
  const int ranks = communicator_.control().size();
  Carried carried{communicator_.carried([&] { operate(buffers.call, *cell.collective); })};
  if (!carried.tuning) return carried;
  const auto nodes = static_cast<int>(std::set<std::string>(nodes_.begin(), nodes_.end()).size());
  carried.wire = wire_factor(*cell.collective, carried.tuning->algorithm, nodes, ranks).value_or(0);
  carried.less_than_busbw = carried.wire > 0 && carried.wire < cell.collective->bus_factor(ranks);
  return carried;
}

void Runner::ask(const Cell& cell, Question question, const Carried& carried, Sampling& sampling) const {
  if (carried.less_than_busbw && question.metric == Question::Metric::busbw_gb_s)
    question.metric = Question::Metric::wire_gb_s;
  const double factor = question.metric == Question::Metric::wire_gb_s
                            ? carried.wire
                            : cell.collective->bus_factor(communicator_.control().size());
  sampling.judge.emplace(question, static_cast<double>(cell.bytes) * factor, !options_.iterations);
  sampling.window_s = std::clamp(question.observe_s / 60, window_seconds, 10 * window_seconds);
}

// How many iterations next; 0 ends the cell, and sampling.stop says why. The leader's alone.
int Runner::next_window(const std::string& name, Sampling& sampling) {
  if (clock_watch_.look() != ClockFault::none)
    return 0;  // the limit would never come; settle_clocks() says so
  const int iterations = next_iterations(sampling, options_, clock_.now() - sampling.start);
  if (iterations > 0 && live_ && !options_.iterations && !sampling.samples.empty())
    live_(name + "  " + std::to_string(sampling.samples.size()) + " iterations, " +
          (sampling.judge ? "against the threshold" : so_far(sampling)));
  return iterations;
}

Series Runner::measure(const Cell& cell, const std::optional<Question>& question) {
  Control& control = communicator_.control();
  const bool leader = control.rank() == 0;
  const Buffers buffers = buffers_for(cell);
  const std::string name = describe(cell);

  pulse_.enter(name + ": verification and warm-up");
  Wrong wrong;
  fill(cell, buffers);
  verified_iterations(cell, buffers, wrong);
  bool drifting = false;
  const std::vector<double> warm = warm_up(cell, buffers, drifting);
  const Carried how = carried(cell, buffers);

  pulse_.enter(name + ": timed iterations");
  Sampling sampling;
  if (leader && question) ask(cell, *question, how, sampling);
  sampling.typical = warm.empty() ? 0 : median(warm), sampling.start = clock_.now();
  for (;;) {
    const int iterations = agree(control, leader ? next_window(name, sampling) : 0);
    if (iterations == 0) break;
    if (!sampling.samples.empty()) {
      verified_iterations(cell, buffers, wrong);  // the first window's came before the warm-up
      for (int i = 0; i < untimed_after_check; ++i)
        operate(buffers.call, *cell.collective);
    }
    const Window window = timed(cell, buffers, iterations);
    if (options_.check > 0 && cell.placement == Placement::out_of_place) verify(cell, buffers, wrong);
    sampling.samples.insert(sampling.samples.end(), window.seconds.begin(), window.seconds.end());
    sampling.own.insert(sampling.own.end(), window.own.begin(), window.own.end());
    sampling.slowest += window.slowest;
    sampling.typical = median(window.seconds);
    if (sampling.judge) sampling.judge->add(window.seconds, window.wall_s);
  }

  const auto all_wrong = gather(control, wrong);
  const auto ranks =
      gather(control, RankTimes{sampling.own.empty() ? 0 : median(sampling.own), sampling.slowest});
  settle_clocks(sampling);
  if (!leader) return {};
  Series series = clock_fault_.empty() ? series_of(cell, sampling, control.size(), options_)
                                       : named_series(cell, control.size());
  if (options_.check > 0) blame_wrong(cell, all_wrong, series);
  if (!clock_fault_.empty()) {
    series.stop = "clock";  // no figure, but wrong elements are wrong
    return series;
  }
  for (const auto& rank : ranks)
    series.rank_p50_us.push_back(rank.median * 1e6);
  const SlowRankSearch search{
      .root = cell.collective->rooted ? std::optional(static_cast<std::size_t>(cell.root)) : std::nullopt,
      .sizes = cells_};
  if (const auto slow = find_slow_rank(ranks, series.samples, search))
    series.slowest = Slowest{static_cast<int>(slow->rank), nodes_[slow->rank], slow->excess};
  const double wire_gb_s = series.algbw_gb_s * how.wire;
  series.tuning = how.tuning;
  if (how.wire > 0) series.tuning->wire_gb_s = wire_gb_s;
  if (sampling.judge) {
    sampling.judge->end();
    series.threshold =
        sampling.judge->judgement(question->metric == Question::Metric::time_us ? series.time_us.p50
                                  : how.less_than_busbw                         ? wire_gb_s
                                                                                : series.busbw_gb_s);
    series.observation = sampling.judge->observation(static_cast<double>(cell.bytes) *
                                                     cell.collective->bus_factor(control.size()));
  }
  if (how.less_than_busbw)
    series.warnings.push_back(how.tuning->algorithm +
                              " on two nodes sends fewer bytes than busbw counts: the wire carried " +
                              fixed(wire_gb_s, 2) + " GB/s; NCCL_ALGO=Ring makes the two the same");
  std::ranges::move(communicator_.warnings(), std::back_inserter(series.warnings));
  if (drifting)
    series.warnings.push_back("times were still drifting when the warm-up ended; give it more with --warmup");
  if (const auto warning = slow_start(sampling)) series.warnings.push_back(*warning);
  return series;
}

// A time that any rank's clock made up is no time of the collective's.
void Runner::settle_clocks(const Sampling& sampling) {
  clock_watch_.look();
  if (!sampling.own.empty())
    clock_watch_.timed(std::accumulate(sampling.own.begin(), sampling.own.end(), 0.0));
  const auto faults = gather(communicator_.control(), clock_watch_.look());
  const auto at = std::ranges::find_if(faults, [](ClockFault fault) { return fault != ClockFault::none; });
  if (at == faults.end()) return;
  const auto rank = static_cast<std::size_t>(at - faults.begin());
  clock_fault_ = "rank " + std::to_string(rank) + " on " + nodes_[rank] + ": " + clock_fault_text(*at) +
                 ", so that no time it measured can be believed";
}

std::string Runner::never_planted() {
  const auto& fault = options_.fault;
  if (!fault) return {};
  struct Planted {
    bool done;
    std::uint64_t operations;
  };
  // One that hung or killed its rank is not asked any more.
  const bool done =
      fault_is_mine_ &&
      (fault->kind == Fault::Kind::flip ? flipped_ : fault->kind == Fault::Kind::delay && operations_ > 0);
  const auto all = gather(communicator_.control(), Planted{done, operations_});
  const auto& there = all[static_cast<std::size_t>(fault->place)];
  return there.done ? std::string() : never_planted_text(*fault, there.operations);
}

void Runner::blame_wrong(const Cell& cell, std::span<const Wrong> by_rank, Series& series) const {
  std::uint64_t total = 0;
  for (std::size_t rank = 0; rank < by_rank.size(); ++rank) {
    const Wrong& found = by_rank[rank];
    if (found.elements > 0 && total == 0)
      series.mismatch = Mismatch{static_cast<int>(rank),
                                 nodes_[rank],
                                 found.first,
                                 value_and_bits(cell.dtype, found.expected),
                                 value_and_bits(cell.dtype, found.actual),
                                 found.kind.data()};
    total += found.elements;
  }
  series.wrong = total;
}

}  // namespace mlc
