// A GPU of host memory: the burn-in's drivers run on it with the same patterns, tiles and sums, and it can be
// faulty in the ways real ones are.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "bench/gpu/burnin.hpp"
#include "kernels/gemm_data.hpp"

namespace mlc {

struct FakeFaults {
  double speed = 1;                           // of every rate
  std::optional<std::uint64_t> stuck_word;    // its bit 3 always reads 1
  bool many_stuck_bits = false;               // then it is another bit below 40 in each of them
  std::optional<int> stuck_bit;               // of every eighth word: always reads 1
  bool path_fault = false;                    // the first wrong read is correct when read again
  std::optional<int> dead_address_bit;        // words that differ in it are one cell
  std::optional<std::uint64_t> leaky_word;    // its bit 5 is gone when it was left alone
  std::optional<std::uint64_t> flipped_word;  // its bit 5 flips once, while it is left alone
  int flips_in_rest = 0;                      // so many rests later
  std::optional<std::uint32_t> bad_sm;        // flips a bit of its results
  bool bad_input = false;                     // a row of tiles of the matrix product is wrong
  int cold_passes = 0;                        // the memory comes to its speed from 0.8 of it in so many
  std::optional<int> bad_product;             // this product of a run differs
  std::optional<int> bad_burst;               // of this run alone; else of all
  std::optional<std::string> fails_in;        // a call of this name throws `failure`
  GpuTrouble failure = GpuTrouble::lost;
  std::uint64_t corrupted_copies = 0;  // bytes
  int corrupted_times = 1 << 30;       // of the first copies alone
  bool loses_an_addition = false;
  std::optional<int> slow_link_to;  // the GPU of this index, at half speed both ways
  std::vector<int> slow_bytes_to;   // GPUs of these indices, at half speed in this direction alone
  std::uint64_t wrong_bytes_sent = 0, wrong_bytes_received = 0;  // of each copy with a peer
  std::optional<int> cannot_reach;                               // the GPU of this index
  double memory_given = 1;  // share of memory_bytes that can be allocated
  std::function<void()> while_multiplying;
  std::optional<std::uint64_t> slow_window;  // first word of a piece of memory at half speed
};

class FakeGpu final : public GpuDevice {
 public:
  static constexpr std::uint64_t piece_bytes = 256 << 10, pieces = 4;

  explicit FakeGpu(int index, FakeFaults faults = {}) : faults_(std::move(faults)) {
    identity_ = {.index = index,
                 .name = "Fake H100",
                 .uuid = "GPU-fake-" + std::to_string(index),
                 .pci = "0000:0" + std::to_string(index) + ":00.0",
                 .major = 9,
                 .minor = 0,
                 .sms = 12,
                 .memory_bytes = pieces * piece_bytes,
                 .l2_bytes = 1 << 20,
                 .memory_clock_hz = 2619e6,
                 .bus_width_bits = 5120};
  }

  const GpuIdentity& identity() const override { return identity_; }
  std::uint64_t free_bytes() override { return identity_.memory_bytes; }

  void take_memory(std::uint64_t most) override {
    fail_in("take_memory");
    const auto given =
        static_cast<std::uint64_t>(faults_.memory_given * static_cast<double>(identity_.memory_bytes));
    words_.assign(std::min(most, given) / piece_bytes * piece_bytes / 8, 0xdead);
    for (std::uint64_t at = 0; at < words_.size(); at += piece_bytes / 8)
      stretches_.push_back({reinterpret_cast<std::byte*>(words_.data() + at), piece_bytes, at});
  }
  const std::vector<Stretch>& memory() const override { return stretches_; }

  std::vector<double> hbm(hbm::Operation operation, std::span<const Stretch> regions, int passes) override {
    fail_in("hbm");
    double seconds = 0;
    for (const auto& region : regions) {
      const bool slow = faults_.slow_window && *faults_.slow_window == region.first_word;
      seconds += static_cast<double>(hbm::bytes_moved(operation, region.bytes)) / (slow ? 1.5e12 : 3.05e12);
    }
    auto times = steady(seconds, passes);
    for (auto& time : times)
      if (passed_ < faults_.cold_passes) time /= 0.8 + 0.2 * passed_++ / faults_.cold_passes;
    return times;
  }
  std::uint64_t copy_differs(const Stretch&) override { return faults_.corrupted_copies; }

  double sweep(const memory::Sweep& sweep, std::uint32_t round) override {
    fail_in("sweep");
    last_ = sweep;
    for (std::uint64_t n = 0; n < words_.size(); ++n) {
      const std::uint64_t i = sweep.down ? words_.size() - 1 - n : n;
      std::uint64_t value = read(i);
      const bool changed = memory::visit(sweep, &value, i, [&](std::uint64_t expected, std::uint64_t got) {
        return memory::add(log_, {.index = i,
                                  .expected = expected,
                                  .got = got,
                                  .sm = static_cast<std::uint32_t>(i % 12),
                                  .round = round,
                                  .spec = sweep.spec,
                                  .down = sweep.down});
      });
      if (changed) words_[cell(i)] = value;
    }
    const double passes = sweep.step == memory::Step::check_and_invert ? 2 : 1;
    return static_cast<double>(words_.size() * 8) * passes / (2.8e12 * faults_.speed);
  }

  void look_again() override {
    for (; looked_ < std::min<unsigned>(log_.kept, memory::most_errors); ++looked_) {
      auto& error = log_.error[looked_];
      for (auto& again : error.again)
        again = faults_.path_fault ? error.expected : read(error.index);
      error.reread = true;
      if (last_.step == memory::Step::check_and_invert) words_[cell(error.index)] = ~error.expected;
    }
  }
  const memory::ErrorLog& errors() const override { return log_; }
  void flip_bit(std::uint64_t word, int bit) override { words_.at(word) ^= std::uint64_t{1} << bit; }
  void probe(double) override { fail_in("probe"); }
  void rest(double) override {
    fail_in("rest");
    if (faults_.flipped_word && rests_++ == faults_.flips_in_rest) words_.at(*faults_.flipped_word) ^= 32;
    if (faults_.leaky_word) words_.at(*faults_.leaky_word) &= ~std::uint64_t{32};
  }

  std::vector<tile::Result> tiles(tile::Engine engine, const tile::Spec& spec, int repeats) override {
    fail_in("tiles");
    std::vector<tile::Result> results;
    const auto add = [&](std::uint32_t sm, std::uint32_t tile) {
      results.push_back({sm, tile, golden_of(engine, spec, tile::kind_of(engine, spec, tile))});
      if (faults_.bad_sm == sm) results.back().digest.parity ^= 4;
    };
    const auto side = static_cast<std::uint32_t>(spec.product.side);
    for (int repeat = 0; repeat < repeats; ++repeat)
      if (engine == tile::Engine::product) {
        for (std::uint32_t block = 0; block < side * side; ++block) {
          add(block % 12, tile::product_tile(block, dealt_, spec.product.side));
          if (faults_.bad_input && results.back().tile / side == 5) results.back().digest.sum ^= 9;
        }
        ++dealt_;
      } else {
        for (std::uint32_t sm = 0; sm < 12; ++sm)
          add(sm, static_cast<std::uint32_t>(repeat));
      }
    return results;
  }

  std::string gemm_absent(GemmType) override { return gemm_why_; }
  void without_gemm(const std::string& why) { gemm_why_ = why; }
  GemmRun gemm(GemmType type, int repeats, std::uint64_t seed) override {
    fail_in("gemm");
    if (faults_.while_multiplying) faults_.while_multiplying();
    GemmRun run;
    const double rate = type == GemmType::bf16 ? 730e12 : 1450e12;
    run.seconds = steady(gemm::operations(gemm_size, gemm_size, gemm_size) / rate, repeats);
    run.digests.assign(run.seconds.size(), {seed * 31 + (type == GemmType::bf16 ? 0 : 1), seed});
    const bool bad = !faults_.bad_burst || *faults_.bad_burst == bursts_;
    ++bursts_;
    if (bad && faults_.bad_product && *faults_.bad_product < repeats)
      run.digests[static_cast<std::size_t>(*faults_.bad_product)].sum ^= 1;
    return run;
  }

  CopyRun copy(CopyKind kind, std::uint64_t bytes, int repeats) override {
    fail_in("copy");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));  // the link is sampled while copies run
    return {steady(static_cast<double>(bytes) * (kind == CopyKind::both_ways ? 1.1 : 1) / 55.6e9, repeats),
            copied_++ < faults_.corrupted_times ? faults_.corrupted_copies : 0};
  }
  bool reaches(const GpuDevice& peer) override { return faults_.cannot_reach != peer.identity().index; }
  CopyRun copy_to(GpuDevice& peer, PeerKind kind, std::uint64_t bytes, int repeats) override {
    fail_in("copy_to");
    const auto& other = static_cast<const FakeGpu&>(peer);
    const FakeGpu &from = kind == PeerKind::sm_read ? other : *this,
                  &to = kind == PeerKind::sm_read ? *this : other;
    const bool slow = faults_.slow_link_to == other.identity_.index ||
                      other.faults_.slow_link_to == identity_.index ||
                      std::ranges::count(from.faults_.slow_bytes_to, to.identity_.index) > 0;
    const double speed = std::min(faults_.speed, other.faults_.speed) * (slow ? 0.5 : 1);
    return {
        std::vector<double>(static_cast<std::size_t>(repeats), static_cast<double>(bytes) / (375e9 * speed)),
        from.faults_.wrong_bytes_sent + to.faults_.wrong_bytes_received};
  }

  std::vector<double> launches(LaunchKind kind, int repeats) override {
    fail_in("launches");
    return std::vector<double>(static_cast<std::size_t>(repeats), kind == LaunchKind::latency ? 9e-6 : 2e-6);
  }

  AtomicsRun atomic_adds(atomics::Spread spread, std::uint64_t threads) override {
    fail_in("atomic_adds");
    AtomicsRun run{.seconds = 1e-4, .counters = {}};
    atomics::expected(spread, threads, run.counters);
    if (faults_.loses_an_addition) run.counters.u64[0] -= 1;
    return run;
  }

 private:
  void fail_in(const char* call) const {
    if (faults_.fails_in == call) throw GpuError(faults_.failure, std::string("planted in ") + call);
  }
  std::vector<double> steady(double seconds, int repeats) const {
    return std::vector<double>(static_cast<std::size_t>(repeats), seconds / faults_.speed);
  }
  std::uint64_t cell(std::uint64_t i) const {
    return faults_.dead_address_bit ? i & ~(std::uint64_t{1} << *faults_.dead_address_bit) : i;
  }
  std::uint64_t read(std::uint64_t i) const {
    const std::uint64_t value = words_[cell(i)];
    if (faults_.stuck_bit && i % 8 == 0)
      return value | std::uint64_t{1}
                         << (faults_.many_stuck_bits ? static_cast<int>(i / 8 % 20) : *faults_.stuck_bit);
    return faults_.stuck_word == i ? value | 8 : value;
  }
  // The host's own digests are slow in debug builds, and the same for every fake SM.
  static tile::Digest golden_of(tile::Engine engine, const tile::Spec& spec, int kind) {
    static std::mutex mutex;
    static std::map<std::tuple<tile::Engine, std::uint64_t, int, int>, tile::Digest> known;
    const std::lock_guard lock(mutex);
    const auto [entry, added] = known.try_emplace({engine, spec.seed, spec.rounds, kind});
    if (added) entry->second = tile::golden(engine, spec, kind);
    return entry->second;
  }

  GpuIdentity identity_;
  FakeFaults faults_;
  std::string gemm_why_;
  std::vector<std::uint64_t> words_;
  std::vector<Stretch> stretches_;
  memory::ErrorLog log_;
  memory::Sweep last_;
  unsigned looked_ = 0;
  int passed_ = 0, copied_ = 0, rests_ = 0, bursts_ = 0;
  std::uint32_t dealt_ = 0;
};

}  // namespace mlc
