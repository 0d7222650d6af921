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
#include "bench/stats/statistics.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

// Bytes either side of the receive buffer. Not a multiple of the page size: were both buffers page-aligned,
// stores to one and loads from the other would share their low 12 address bits, and the CPU takes those for
// dependent (4 KiB aliasing).
constexpr std::uint64_t guard = 6144;
constexpr std::uint8_t guard_byte = 0xa5;
constexpr double window_seconds = 0.05;
constexpr int most_in_window = 5000, least_in_window = 5;

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
               std::vector<std::string> nodes, std::function<void(const std::string&)> live)
    : communicator_(communicator),
      clock_(clock),
      pulse_(pulse),
      options_(std::move(options)),
      nodes_(std::move(nodes)),
      live_(std::move(live)),
      fault_is_mine_(options_.fault && options_.fault->rank == communicator.control().rank()) {}

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
  communicator_.measure(
      clock_, [&] { operate(buffers.call, *cell.collective); }, seconds);
  std::vector<double> most = seconds;
  communicator_.control().maximum(most);
  for (std::size_t i = 0; i < seconds.size(); ++i)
    slowest += seconds[i] >= most[i] ? 1 : 0;
  own.insert(own.end(), seconds.begin(), seconds.end());
  pulse_.tick();
  return most;
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

Series Runner::measure(const Cell& cell, const std::optional<Question>& question) {
  Control& control = communicator_.control();
  const bool leader = control.rank() == 0;
  const Buffers buffers = buffers_for(cell);
  const std::string name = describe(cell);
  const double busbw_bytes = static_cast<double>(cell.bytes) * cell.collective->bus_factor(control.size());

  pulse_.enter(name + ": verification and warm-up");
  Wrong wrong;
  fill(cell, buffers);
  verified_iterations(cell, buffers, wrong);
  bool drifting = false;
  const std::vector<double> warm = warm_up(cell, buffers, drifting);

  std::optional<Tuning> tuning = communicator_.carried([&] { operate(buffers.call, *cell.collective); });
  const auto nodes = static_cast<int>(std::set<std::string>(nodes_.begin(), nodes_.end()).size());
  double wire = 0;  // 0: not known
  if (tuning) wire = wire_factor(*cell.collective, tuning->algorithm, nodes, control.size()).value_or(0);
  const double bus_factor = cell.collective->bus_factor(control.size());
  const bool more_than_wire = wire > 0 && wire < bus_factor;

  std::optional<CellJudge> judge;
  if (leader && question) {
    const int thin = thinning(lag1_autocorrelation(warm));
    Question asked = *question;
    if (more_than_wire && asked.metric == Question::Metric::busbw_gb_s)
      asked.metric = Question::Metric::wire_gb_s;
    judge.emplace(asked,
                  asked.metric == Question::Metric::wire_gb_s ? busbw_bytes * wire / bus_factor : busbw_bytes,
                  options_.iterations ? 1 : thin, !options_.iterations);
  }

  pulse_.enter(name + ": timed iterations");
  const double start = clock_.now();
  std::vector<double> samples, own;
  std::uint64_t slowest = 0;
  std::string stop;
  double typical = warm.empty() ? 0 : median(warm);
  for (;;) {
    int iterations = 0;
    if (leader) {
      // How many next; 0 ends the cell, and `stop` says why.
      const double elapsed = clock_.now() - start;
      const auto done = static_cast<int>(samples.size());
      const auto fitting =
          typical > 0 ? static_cast<int>(std::min(window_seconds / typical, 1e6)) : least_in_window;
      iterations = std::clamp(fitting, least_in_window, most_in_window);
      if (options_.iterations) {
        iterations = std::min(iterations, *options_.iterations - done);
        if (iterations == 0) stop = "fixed";
      } else if (judge) {
        if (judge->decided())
          stop = "decided";
        else if (judge->exhausted())
          stop = "batches";
        else if (elapsed > options_.max_seconds_question)
          stop = "time";
        else if (live_)
          live_(name + "  " + std::to_string(done) + " iterations, against the threshold");
      } else if (done > 0) {
        const Summary so_far = summarise(samples);
        const double half = (so_far.median_ci[1] - so_far.median_ci[0]) / 2 / so_far.p50;
        if (done >= 20 && half <= options_.precision)
          stop = "precise";
        else if (elapsed > options_.max_seconds)
          stop = "time";
        else if (live_)
          live_(name + "  " + std::to_string(done) + " iterations, " + time_text(so_far.p50 * 1e6) + " ± " +
                percent_text(half));
      }
      if (!stop.empty()) iterations = 0;
    }
    iterations = agree(control, iterations);
    if (iterations == 0) break;
    if (!samples.empty())
      verified_iterations(cell, buffers, wrong);  // the first window's came before the warm-up
    const std::vector<double> window = timed(cell, buffers, iterations, own, slowest);
    if (options_.check > 0 && cell.placement == Placement::out_of_place) verify(cell, buffers, wrong);
    samples.insert(samples.end(), window.begin(), window.end());
    typical = median(window);
    if (judge) judge->add(window);
  }

  const auto all_wrong = gather(control, wrong);
  const auto ranks = gather(control, RankTimes{own.empty() ? 0 : median(own), slowest});
  Series series;
  if (!leader) return series;

  const Summary summary = summarise(samples);
  series.collective = cell.collective->name;
  series.dtype = to_string(cell.dtype);
  if (cell.collective->reduces) series.redop = to_string(cell.redop);
  if (cell.collective->rooted) series.root = cell.root;
  series.placement = to_string(cell.placement);
  series.bytes = cell.bytes, series.requested_bytes = cell.requested_bytes;
  series.ranks = control.size();
  series.samples = samples.size();
  series.time_us = {summary.min * 1e6, summary.p50 * 1e6, summary.p95 * 1e6, summary.p99 * 1e6,
                    summary.max * 1e6};
  series.ci_us = {summary.median_ci[0] * 1e6, summary.median_ci[1] * 1e6};
  series.cv = std::isfinite(summary.cv) ? summary.cv : 0;
  series.algbw_gb_s = static_cast<double>(cell.bytes) / summary.p50 / 1e9;
  series.busbw_gb_s = busbw_bytes / summary.p50 / 1e9;
  series.stop = stop;
  if (options_.check > 0) {
    std::uint64_t total = 0;
    for (std::size_t rank = 0; rank < all_wrong.size(); ++rank) {
      const Wrong& found = all_wrong[rank];
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
  for (const auto& rank : ranks)
    series.rank_p50_us.push_back(rank.median * 1e6);
  if (const auto slow = find_slow_rank(ranks, samples.size()))
    series.slowest = Slowest{static_cast<int>(slow->rank), nodes_[slow->rank], slow->excess};
  const double wire_gb_s = series.algbw_gb_s * wire;
  if (wire > 0) tuning->wire_gb_s = wire_gb_s;
  if (judge)
    series.threshold = judge->judgement(question->metric == Question::Metric::time_us ? series.time_us.p50
                                        : more_than_wire                              ? wire_gb_s
                                                                                      : series.busbw_gb_s);
  if (more_than_wire)
    series.warnings.push_back(tuning->algorithm +
                              " on two nodes sends fewer bytes than busbw counts: the wire carried " +
                              fixed(wire_gb_s, 2) + " GB/s; NCCL_ALGO=Ring makes the two the same");
  series.tuning = tuning;
  for (auto& warning : communicator_.warnings())
    series.warnings.push_back(std::move(warning));
  if (drifting)
    series.warnings.push_back("times were still drifting when the warm-up ended; give it more with --warmup");
  if (samples.size() >= 5 && samples.front() > 3 * summary.p50)
    series.warnings.push_back("the first timed iteration took " + fixed(samples.front() / summary.p50, 1) +
                              " times the median");
  return series;
}

}  // namespace mlc
