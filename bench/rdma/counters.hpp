// What the NIC, its port and its interface counted during a measurement, so that a slow rail is explained and
// not only measured.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "validators/host/file_tree.hpp"

namespace mlc::rdma {

// "hw_counters/out_of_sequence", "net/rx_dropped", "ethtool/rx_prio3_pause" -> value.
using CounterReading = std::map<std::string, std::uint64_t>;

struct CounterDelta {
  std::string name;
  std::uint64_t by = 0;
  bool operator==(const CounterDelta&) const = default;
};

// hw_counters and counters of the device's port, statistics of the interface, and of ethtool's statistics
// those that tell of pauses and discards. What cannot be read is left out.
CounterReading read_counters(const FileTree& files, const std::string& device, const std::string& netdev);

// Those that tell of trouble and grew, worst first. Pure.
std::vector<CounterDelta> telling_deltas(const CounterReading& before, const CounterReading& after);

// What they mean, and what to look at next: "123 packets out of sequence: lost on the way here; ...". Empty
// without deltas. Pure.
std::string explain(const std::vector<CounterDelta>& deltas);

}  // namespace mlc::rdma
