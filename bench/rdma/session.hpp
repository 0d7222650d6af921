// Runs a plan between ends that can talk to each other (Control): over MPI all pairs of a round at the same
// time and in step, over TCP or between two threads of one process the one pair there is. Every end learns
// every result.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/engine/fault.hpp"
#include "bench/ranks/control.hpp"
#include "bench/ranks/pulse.hpp"
#include "bench/rdma/connection.hpp"
#include "bench/rdma/lane.hpp"
#include "bench/rdma/pairing.hpp"
#include "bench/rdma/plan.hpp"
#include "bench/rdma/rail.hpp"
#include "validators/host/file_tree.hpp"

namespace mlc::rdma {

// What one lane of one cell came to, one way. The end that initiates wrote, sent or read.
struct LaneResult {
  int from = 0, to = 0;         // ends (ranks): `from` initiates
  int rail = 0, peer_rail = 0;  // positions in the ends' lists of rails
  std::uint64_t bytes = 0;
  bool together = false, both_directions = false;
  int mtu = 0;  // bytes, of the path
  LaneReport report;
  std::string error;   // of either end, with rail, device, GID, peer and step
  std::string remedy;  // for the error
  std::optional<std::uint64_t> wrong;
  std::string first_wrong;
  std::vector<CounterDelta> from_counters, to_counters;
  int attempts = 1;
};

struct Meet {
  int round = 0;
  Meeting ends;
  std::vector<RailPair> lanes;
  std::vector<LaneResult> results;
  std::string problem;  // why these two could not be measured; empty: they were
};

// One end's means.
struct EndSettings {
  std::string node, version;
  std::vector<RailFacts> rails;
  Wait wait = Wait::automatic;
  int cpus = 1;                                  // that this process may use
  std::optional<Fault> fault;                    // planted here
  FileTree files = FileTree();                   // for counters
  std::function<void()> alive;                   // called now and then while this end measures; may be empty
  std::function<void(const std::string&)> live;  // hears what is measured next; may be empty
  Pulse* pulse = nullptr;
};

class Session {
 public:
  // Opens the devices, registers the memory and learns who the others are. `takes_part`: this end has rails
  // to measure (with several ranks on a node, only one has). What is wrong with one rail becomes its problem.
  // Throws what Control throws.
  Session(Control& control, Verbs& verbs, const Plan& plan, EndSettings settings, bool takes_part);
  ~Session();

  const std::vector<NodeFacts>& ends() const { return ends_; }  // by rank

  // Everything, in order: the rounds of all pairs, or the one pair. `bad` says, of a result and all those of
  // its meeting, whether it calls for another attempt; it must say the same on every end. `so_far` hears of
  // all results that there are, after each measurement.
  std::vector<Meet> run(const std::function<bool(const LaneResult&, const Meet&)>& bad,
                        const std::function<void(const std::vector<Meet>&)>& so_far);

  // What is to be said of a fault that this end was to plant and did not; empty where there is none.
  std::string never_planted() const;

  static std::uint64_t bytes_needed(const Plan& plan, std::size_t rails);  // of registered memory at this end

 private:
  struct Mine;  // what this end holds open
  class Part;
  struct Said {  // of one cell, by rank, as it was sent
    std::vector<std::string> addresses, ready, reports, checks;
  };
  std::vector<std::vector<LaneResult>> cell(const std::vector<Meet>& meets,
                                            const std::vector<std::optional<Cell>>& cells);
  std::vector<LaneResult> results_of(const Meet& meet, const Cell& cell, const Said& said) const;

  Control& control_;
  Verbs& verbs_;
  Plan plan_;
  EndSettings settings_;
  std::vector<NodeFacts> ends_;
  std::vector<int> participants_;
  std::unique_ptr<Mine> mine_;
  FaultRecord fault_record_;
};

}  // namespace mlc::rdma
