// This end's part in one cell: its lanes, from queue pairs to verified data.
#pragma once

#include "bench/rdma/failure.hpp"
#include "bench/rdma/rail_memory.hpp"
#include "bench/rdma/session.hpp"

namespace mlc::rdma {

struct Session::Mine {
  struct Open {
    std::unique_ptr<Device> device;
    std::unique_ptr<RailMemory> memory;
  };
  std::vector<Open> rails;
};

// An end without a cell in this round has no lanes, and goes through the same steps. What goes wrong with a
// lane is in what it says to the others; the lane is then left out.
class Session::Part {
 public:
  Part(Session& session, const std::vector<Meet>& meets, const std::vector<std::optional<Cell>>& cells);

  void enter(const char* step);
  void open();
  void connect(const std::vector<std::string>& all_addresses);
  void leave_what_the_peer_left(const std::vector<std::string>& all_ready);
  std::vector<std::string> transfer();  // what all ends said of it
  std::vector<LaneCheck> verify();

  const std::vector<LaneAddress>& addresses() const { return addresses_; }
  const std::vector<LaneReport>& ready() const { return ready_; }

 private:
  RailPair positions(std::size_t lane) const;  // in this end's list of rails and in the peer's
  const RailFacts& rail_of(std::size_t lane) const;
  Ends ends_of(std::size_t lane) const;
  LaneSettings settings_for(const RailFacts& rail) const;
  CounterReading counters_of(std::size_t lane) const;
  void drive(CellState& state, bool until_sent);

  Session& s_;
  const Meet* meet_ = nullptr;  // null: none for this end
  const Cell* cell_ = nullptr;
  bool first_ = false;
  std::size_t me_ = 0, peer_ = 0;
  std::string phase_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<LaneAddress> addresses_;
  std::vector<LaneReport> ready_, reports_;
  std::vector<CounterReading> before_;
};

}  // namespace mlc::rdma
