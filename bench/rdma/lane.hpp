// One end of one rail pair while one cell is measured: its queue pairs, its buffers, and the loop that its
// thread runs.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/engine/fault.hpp"
#include "bench/rdma/connection.hpp"
#include "bench/rdma/plan.hpp"
#include "bench/rdma/rail_memory.hpp"
#include "bench/rdma/rates.hpp"
#include "validators/host/verbs.hpp"

namespace mlc::rdma {

// Where the messages of a cell lie: each queue pair has `slots` of them, used in turn.
struct Layout {
  std::uint64_t stride = 0;  // from message to message
  int slots = 1;
  std::uint64_t bytes(int pairs) const {
    return stride * static_cast<std::uint64_t>(slots) * static_cast<std::uint64_t>(pairs);
  }
};

// Small messages rotate through 64 KiB a queue pair, so that not one cache line is hammered; larger ones
// reuse one slot, as perftest's do.
Layout layout_of(const Plan& plan, std::uint64_t message_bytes);

// Shared by the threads of one cell of this process.
struct CellState {
  std::atomic<bool> stop{false};     // no more new messages
  std::atomic<bool> abandon{false};  // end now: the other end is gone
};

// What became of a planted fault, over all cells.
struct FaultRecord {
  std::atomic<bool> planted{false};
  std::atomic<std::uint64_t> sent{0};  // messages of the last lane that had it
};

enum class Wait { automatic, spin, yield, event };

struct LaneSettings {
  Plan plan;
  std::uint64_t bytes = 0;
  bool initiates = false;  // else the other end does; with both_directions it does so too
  bool receives = false;   // this end's memory is written or sent into by the other
  int numa_node = -1;
  Wait wait = Wait::yield;
  std::optional<Fault> fault;           // planted in this lane
  FaultRecord* fault_record = nullptr;  // where there is a fault
  std::function<std::string(int)> status_text;
};

class Lane {
 public:
  // Makes the completion queue and the queue pairs. Throws VerbsError.
  Lane(Device& device, RailMemory& memory, int gid_index, LaneSettings settings);

  LaneAddress address();                  // for the other end
  void connect(const LaneAddress& peer);  // to ready-to-send, receives posted; throws VerbsError
  void run(CellState& state) noexcept;    // the thread's body; what went wrong is in failure()
  // What the other end says to have sent, queue pair by queue pair. Once.
  void expect(std::vector<std::uint64_t> messages);

  bool sent_all() const { return sent_all_; }
  bool settled() const { return settled_; }
  bool ended() const { return ended_; }
  std::uint64_t progress() const { return progress_; }
  LaneReport report() const;                               // after sent_all
  const std::string& failure() const { return failure_; }  // of the whole run, after ended; empty: none
  // Poison in the sink before the transfer, so that what never came is seen.
  void prepare_data(std::uint32_t source_end);
  LaneCheck verify(std::uint32_t source_end);  // what the other end's data should be, after run

 private:
  struct PairState {
    std::unique_ptr<QueuePair> pair;
    PairAddress peer;
    std::uint32_t sequence = 0;                // of this end's first packet
    std::uint64_t posted = 0, completed = 0;   // messages
    std::uint64_t received = 0, receives = 0;  // messages that came, receives posted
  };
  class Idle;

  void bandwidth(CellState& state);
  void ping_pong_by_memory(CellState& state);
  void ping_pong_by_sends(CellState& state);
  void read_by_read(CellState& state);
  bool post_group(PairState& pair);
  void post_one(PairState& pair, Verb verb, std::uint64_t slot, bool inlined);
  void post_receive(std::size_t pair);
  // Takes what has completed; counts it; throws on a bad status. Returns the number of entries.
  std::size_t take(double now);
  void finish_timing(std::vector<double> samples_us);
  std::byte* sink(std::size_t pair, std::uint64_t slot) const;
  const std::byte* source(std::size_t pair, std::uint64_t slot) const;
  DataSpec data_of(std::uint32_t source_end, std::size_t pair, std::uint64_t slot) const;
  std::uint64_t element_count() const;
  void maybe_fail(std::uint64_t messages);

  RailMemory& memory_;
  int gid_index_;
  LaneSettings s_;
  Layout layout_;
  GidBytes gid_{};
  PortFacts port_;
  std::unique_ptr<Completions> completions_;
  std::vector<PairState> pairs_;
  LaneAddress peer_;
  std::vector<Work> chain_;
  int group_ = 1, chain_length_ = 1, receives_ = 0;  // receives_: kept posted on each queue pair
  std::uint32_t inline_ = 0;
  RateMeter meter_;
  LaneReport report_;    // the thread's until sent_all
  std::string failure_;  // the thread's until ended
  std::vector<std::uint64_t> expected_each_;
  std::uint64_t sent_ = 0, received_ = 0;
  std::atomic<bool> sent_all_{false}, settled_{false}, ended_{false};
  std::atomic<std::uint64_t> progress_{0};
  std::atomic<std::int64_t> expected_{-1};
};

}  // namespace mlc::rdma
