// What the two ends tell each other, as JSON: rails, the queue pairs of a cell, results. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/rdma/counters.hpp"
#include "bench/rdma/rail.hpp"
#include "validators/host/verbs.hpp"

namespace mlc::rdma {

// One queue pair as the other end must know it. Its sink is where this end's incoming data lies; its source
// where it may be read from.
struct PairAddress {
  std::uint32_t number = 0, sequence = 0;
  bool operator==(const PairAddress&) const = default;
};

struct LaneAddress {
  std::string error;  // this end could not make it; empty: it could
  GidBytes gid{};
  std::uint16_t lid = 0;
  int mtu = 0;                         // active, bytes
  int reads = 0;                       // outstanding RDMA reads that this port takes
  std::uint64_t source = 0, sink = 0;  // addresses; a queue pair's slots follow each other
  std::uint32_t key = 0;
  std::vector<PairAddress> pairs;
  bool operator==(const LaneAddress&) const = default;
};

// What one end found of one lane of a cell, in the role it had.
struct LaneReport {
  std::string error;                // names step, device, GID and peer
  int mtu = 0;                      // bytes, of the path
  std::vector<std::uint64_t> sent;  // messages, queue pair by queue pair
  double median_gbit_s = 0, mean_gbit_s = 0;
  std::array<double, 2> ci_gbit_s{};
  std::uint64_t windows = 0;
  int answer = 0;         // of the question: 1 reached, -1 below, 0 not asked or not decided
  std::string doubt;      // why not, or by what it failed beside the median (stats/judging.hpp)
  double observed_s = 0;  // the question's windows together
  std::string stop;
  std::vector<double> latency_us;  // p50, p90, p99, p99.9, least, most; empty where none was measured
  std::vector<double> edges_us;    // of the histogram
  std::vector<std::uint64_t> counts;
  bool operator==(const LaneReport&) const = default;
};

// After the transfer: what the receiving side verified, and what its counters did.
struct LaneCheck {
  std::string error;
  std::optional<std::uint64_t> wrong;  // elements; empty: nothing was received here, or not verified
  std::string first_wrong;             // where and what it looks like
  std::vector<CounterDelta> counters;
  bool operator==(const LaneCheck&) const = default;
};

struct NodeFacts {
  std::string node, version, memory;
  std::vector<RailFacts> rails;
};

// Reading throws std::runtime_error with what is wrong: another version, a key missing, a list that is too
// long.
std::string to_text(const NodeFacts& facts);
std::string to_text(const std::vector<LaneAddress>& lanes);
std::string to_text(const std::vector<LaneReport>& lanes);
std::string to_text(const std::vector<LaneCheck>& lanes);
NodeFacts node_facts_from(const std::string& text);
std::vector<LaneAddress> lane_addresses_from(const std::string& text, std::size_t lanes);
std::vector<LaneReport> lane_reports_from(const std::string& text, std::size_t lanes);
std::vector<LaneCheck> lane_checks_from(const std::string& text, std::size_t lanes);

}  // namespace mlc::rdma
