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
#include "bench/engine/verdict_of_cell.hpp"
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
constexpr double window_seconds = 0.05, longest_window_seconds = 0.25;
constexpr int most_in_window = 5000, least_in_window = 5;
// Verification leaves the caches cold, which large messages feel for some iterations: a few are not timed, and
// a window has enough of them that its median does not see the rest.
constexpr int untimed_after_check = 2, enough_in_window = 20;

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
  send_ = communicator_.memory().allocate(capacity_);
  recv_ = communicator_.memory().allocate(capacity_ + 2 * guard);
  communicator_.memory().set(send_.get(), capacity_, 0);
  communicator_.memory().set(recv_.get(), capacity_ + 2 * guard, guard_byte);
}

Runner::Buffers Runner::buffers_for(const Cell& cell) const {
  Control& control = communicator_.control();
  const Shape shape{control.rank(), control.size(), cell.root, cell.count};
  const auto width = static_cast<std::uint64_t>(width_of(cell.dtype));
  Buffers buffers;
  buffers.layout = cell.collective->layout(shape);
  buffers.received = cell.collective->received(shape);
  std::byte* const whole = recv_.get() + guard;
  const bool in_place = cell.placement == Placement::in_place;
  buffers.call = {.send = in_place ? whole + buffers.layout.send_at * width : send_.get(),
                  .recv = in_place ? whole + buffers.layout.recv_at * width : whole,
                  .count = cell.count,
                  .dtype = cell.dtype,
                  .redop = cell.redop,
                  .root = cell.root,
                  .in_place = in_place};
  return buffers;
}

// Fresh data, the receive buffer poisoned, the guard zones behind it renewed (an earlier, larger cell wrote
// there).
void Runner::fill(const Cell& cell, const Buffers& buffers) {
  Memory& memory = communicator_.memory();
  const auto width = static_cast<std::uint64_t>(width_of(cell.dtype));
  const bool in_place = cell.placement == Placement::in_place;
  const std::uint64_t elements = in_place ? buffers.layout.whole : buffers.layout.recv;
  std::byte* const whole = recv_.get() + guard;
  ++iteration_;
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
      memory.count_other_than(recv_.get(), guard, guard_byte) +
      memory.count_other_than(recv_.get() + guard + elements * width, guard, guard_byte);
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

std::vector<double> Runner::timed(const Cell& cell, const Buffers& buffers, int iterations,
                                  std::vector<double>& own, std::uint64_t& slowest) {
  std::vector<double> seconds(static_cast<std::size_t>(iterations));
  const auto operation = [&] { operate(buffers.call, *cell.collective); };
  if (options_.timing == Timing::slowest)
    communicator_.measure(clock_, operation, seconds);
  else
    time_calls(communicator_.control(), clock_, operation, seconds);
  std::vector<double> most = seconds;
  communicator_.control().maximum(most);
  std::vector<double> most_alike = most;
  if (cell.collective->rooted) {
    most_alike = seconds;
    if (communicator_.control().rank() == cell.root) std::ranges::fill(most_alike, 0);
    communicator_.control().maximum(most_alike);
  }
  for (std::size_t i = 0; i < seconds.size(); ++i)
    slowest += seconds[i] >= most_alike[i] ? 1 : 0;
  own.insert(own.end(), seconds.begin(), seconds.end());
  pulse_.tick();
  if (options_.timing == Timing::slowest) return most;
  mean_over_ranks(communicator_.control(), seconds);
  return seconds;
}

// Discards iterations until two successive windows agree within 5 % (their medians), or the time for it is
// over.
std::vector<double> Runner::warm_up(const Cell& cell, const Buffers& buffers, bool& drifting) {
  Control& control = communicator_.control();
  std::vector<double> own;
  std::uint64_t ignored = 0;
  if (options_.warmup)
    return *options_.warmup > 0 ? timed(cell, buffers, *options_.warmup, own, ignored)
                                : std::vector<double>();
  const double start = clock_.now();
  std::vector<double> window = timed(cell, buffers, least_in_window, own, ignored);
  for (;;) {
    const double before = median(window);
    const int iterations =
        std::clamp(static_cast<int>(window_seconds / 5 / std::max(before, 1e-9)), least_in_window, 200);
    window = timed(cell, buffers, iterations, own, ignored);
    const double now = median(window);
    const bool settled = std::fabs(now - before) <= 0.05 * now;
    const bool late = clock_.now() - start > options_.max_seconds / 3;
    // 0: go on, 1: settled, 2: out of time
    const int order = agree(control, settled ? 1 : late ? 2 : 0);
    drifting = order == 2;
    if (order != 0) return window;
  }
}

// What one cell has come to so far. The leader's is complete.
struct Runner::Sampling {
  std::vector<double> samples, own;  // seconds an iteration: as timing.hpp says, and this rank's own
  std::uint64_t slowest = 0;         // iterations in which this rank was
  double typical = 0;                // seconds; 0: not known yet
  double start = 0;
  std::string stop;
  std::optional<CellJudge> judge;
};

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

CellJudge Runner::judge_for(const Cell& cell, Question question, const Carried& carried,
                            std::span<const double> warm) const {
  if (carried.less_than_busbw && question.metric == Question::Metric::busbw_gb_s)
    question.metric = Question::Metric::wire_gb_s;
  const double factor = question.metric == Question::Metric::wire_gb_s
                            ? carried.wire
                            : cell.collective->bus_factor(communicator_.control().size());
  return {question, static_cast<double>(cell.bytes) * factor,
          options_.iterations ? 1 : thinning(lag1_autocorrelation(warm)), !options_.iterations};
}

// How many iterations next; 0 ends the cell, and sampling.stop says why. The leader's alone.
int Runner::next_window(const std::string& name, Sampling& sampling) {
  if (clock_watch_.look() != ClockFault::none)
    return 0;  // the limit would never come; settle_clocks() says so
  const double elapsed = clock_.now() - sampling.start;
  const auto done = static_cast<int>(sampling.samples.size());
  const auto say = [&](const std::string& what) {
    if (live_) live_(name + "  " + std::to_string(done) + " iterations, " + what);
  };
  const double window_s =
      std::clamp(enough_in_window * sampling.typical, window_seconds, longest_window_seconds);
  const auto fitting = sampling.typical > 0 ? static_cast<int>(std::min(window_s / sampling.typical, 1e6))
                                            : least_in_window;
  const int iterations = std::clamp(fitting, least_in_window, most_in_window);
  if (options_.iterations) {
    if (done == *options_.iterations) sampling.stop = "fixed";
    return std::min(iterations, *options_.iterations - done);
  }
  if (sampling.judge) {
    sampling.stop = sampling.judge->decided()                 ? "decided"
                    : sampling.judge->exhausted()             ? "batches"
                    : elapsed > options_.max_seconds_question ? "time"
                                                              : "";
    if (sampling.stop.empty()) say("against the threshold");
  } else if (done > 0) {
    const Summary so_far = summarise(sampling.samples);
    const double half = (so_far.median_ci[1] - so_far.median_ci[0]) / 2 / so_far.p50;
    sampling.stop = done >= 20 && half <= options_.precision ? "precise"
                    : elapsed > options_.max_seconds         ? "time"
                                                             : "";
    if (sampling.stop.empty()) say(time_text(so_far.p50 * 1e6) + " ± " + percent_text(half));
  }
  return sampling.stop.empty() ? iterations : 0;
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
  if (leader && question) sampling.judge = judge_for(cell, *question, how, warm);
  sampling.typical = warm.empty() ? 0 : median(warm), sampling.start = clock_.now();
  for (;;) {
    const int iterations = agree(control, leader ? next_window(name, sampling) : 0);
    if (iterations == 0) break;
    if (!sampling.samples.empty()) {
      verified_iterations(cell, buffers, wrong);  // the first window's came before the warm-up
      for (int i = 0; i < untimed_after_check; ++i)
        operate(buffers.call, *cell.collective);
    }
    const std::vector<double> window = timed(cell, buffers, iterations, sampling.own, sampling.slowest);
    if (options_.check > 0 && cell.placement == Placement::out_of_place) verify(cell, buffers, wrong);
    sampling.samples.insert(sampling.samples.end(), window.begin(), window.end());
    sampling.typical = median(window);
    if (sampling.judge) sampling.judge->add(window);
  }

  const auto all_wrong = gather(control, wrong);
  const auto ranks =
      gather(control, RankTimes{sampling.own.empty() ? 0 : median(sampling.own), sampling.slowest});
  settle_clocks(sampling);
  if (!leader) return {};
  Series series = clock_fault_.empty() ? timed_series(cell, sampling) : named_series(cell);
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
  if (sampling.judge)
    series.threshold =
        sampling.judge->judgement(question->metric == Question::Metric::time_us ? series.time_us.p50
                                  : how.less_than_busbw                         ? wire_gb_s
                                                                                : series.busbw_gb_s);
  if (how.less_than_busbw)
    series.warnings.push_back(how.tuning->algorithm +
                              " on two nodes sends fewer bytes than busbw counts: the wire carried " +
                              fixed(wire_gb_s, 2) + " GB/s; NCCL_ALGO=Ring makes the two the same");
  std::ranges::move(communicator_.warnings(), std::back_inserter(series.warnings));
  if (drifting)
    series.warnings.push_back("times were still drifting when the warm-up ended; give it more with --warmup");
  const double first_over = sampling.samples.front() * 1e6 / series.time_us.p50;
  if (series.samples >= 5 && first_over > 3)
    series.warnings.push_back("the first timed iteration took " + fixed(first_over, 1) + " times the median");
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

// Of which cell it is, and no figure.
Series Runner::named_series(const Cell& cell) const {
  Series series;
  series.collective = cell.collective->name;
  series.dtype = to_string(cell.dtype);
  if (cell.collective->reduces) series.redop = to_string(cell.redop);
  if (cell.collective->rooted) series.root = cell.root;
  series.placement = to_string(cell.placement);
  series.bytes = cell.bytes, series.requested_bytes = cell.requested_bytes;
  series.ranks = communicator_.control().size();
  return series;
}

Series Runner::timed_series(const Cell& cell, const Sampling& sampling) const {
  const int ranks = communicator_.control().size();
  const Summary summary = summarise(sampling.samples);
  Series series = named_series(cell);
  series.samples = sampling.samples.size();
  series.time_us = {.min = summary.min * 1e6,
                    .p50 = summary.p50 * 1e6,
                    .p95 = summary.p95 * 1e6,
                    .p99 = summary.p99 * 1e6,
                    .max = summary.max * 1e6,
                    .mean = summary.mean * 1e6};
  if (options_.timing != Timing::slowest) series.timing = to_string(options_.timing);
  series.ci_us = {summary.median_ci[0] * 1e6, summary.median_ci[1] * 1e6};
  series.cv = std::isfinite(summary.cv) ? summary.cv : 0;
  series.algbw_gb_s = static_cast<double>(cell.bytes) / series.told_us() / 1e3;
  series.busbw_gb_s = series.algbw_gb_s * cell.collective->bus_factor(ranks);
  series.stop = sampling.stop;
  return series;
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
