// What a picture shows beyond the series: rails, matrices, histograms, traces. Every part is optional; the
// command that measured it fills it, and the faces show what is there. Units are in the names, as in the
// JSON.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reports/record/finding.hpp"
#include "reports/record/fleet_figures.hpp"

namespace mlc {

// What the series of this run are compared with when they cross the interconnect.
struct Interconnect {
  int rails = 0;
  double rail_gbit_s = 0;   // signalling rate of one rail
  int mtu_bytes = 0;        // RDMA path MTU
  double target_gb_s = 0;   // all rails of one node, one way
  double ceiling_gb_s = 0;  // what that MTU lets the wire carry as payload
  bool operator==(const Interconnect&) const = default;
};

// The policy as it was applied, so that a report still explains itself when the file has changed.
struct PolicyText {
  std::string name, about, source, text;
  // How long a pass of a node holds from the end of the run, and how long at most where passive looks extend
  // it; 0: of a report that did not keep it, or whose pass alone opens no node.
  double valid_for_s = 0, extended_for_s = 0;
  bool operator==(const PolicyText&) const = default;
};

// One rail of one node at one message size, one way.
struct RailResult {
  std::string node;
  int rail = 0;
  std::string device;                 // "mlx5_2"
  std::string peer;                   // the node at the other end; empty: looped back
  std::string operation;              // "write", "read", "send"
  std::uint64_t bytes = 0;            // message size
  double gbit_s = 0;                  // median payload rate
  std::array<double, 2> ci_gbit_s{};  // 95 % confidence interval of that median
  std::optional<double> p50_us, p99_us;
  Status status = Status::unknown;  // judged against the policy, "unknown" where it was not

  // What `mlc-bench rdma` says beyond that.
  struct Counter {
    std::string end;   // "sender" or "receiver": which end counted
    std::string name;  // "hw_counters/out_of_sequence"
    std::uint64_t by = 0;
    bool operator==(const Counter&) const = default;
  };
  std::string netdev, peer_device;
  int peer_rail = -1;            // -1: not said
  std::string phase;             // "solo", "together": with the node's other rails; empty: not said
  bool both_directions = false;  // the peer sent at the same time
  double mean_gbit_s = 0;        // all bytes over all of the time; 0: not said
  double target_gbit_s = 0,
         ceiling_gbit_s = 0;            // of this rail; what its MTU lets the wire carry; 0: not known
  std::optional<double> over_siblings;  // over the median of the node's other rails
  std::optional<double> messages_per_s;
  std::optional<double> p90_us, p999_us;
  std::optional<std::uint64_t> wrong;  // elements; empty: not verified
  std::string memory;                  // "host", "gpu 2 through dmabuf"
  int attempts = 1;                    // 2: measured again before it was judged
  std::string why;                     // what is wrong with it, in words; empty: nothing
  std::vector<Counter> counters;       // those that tell of trouble and moved meanwhile
  bool operator==(const RailResult&) const = default;
};

// All rails of a node together against the sum of each alone: less means that they share something narrower.
struct RailSum {
  std::string node, peer, operation;
  std::uint64_t bytes = 0;
  bool both_directions = false;
  int rails = 0;
  std::optional<double> solo_gbit_s, together_gbit_s;  // sums; empty: not measured, or a rail is missing
  double target_gbit_s = 0, ceiling_gbit_s = 0;        // of all rails; 0: not known
  Status status = Status::unknown;
  std::string why;
  bool operator==(const RailSum&) const = default;
};

// Who met whom, in which round.
struct NodeMeeting {
  int round = 0;
  std::string node, peer;
  Status status = Status::unknown;
  std::string why;  // why they could not be measured
  bool operator==(const NodeMeeting&) const = default;
};

// That by which GPU pairs are judged.
inline constexpr const char* copy_engine_pairs = "copy-engine";

// A value for every pair of things: rails of two nodes, nodes of a fleet.
struct Matrix {
  struct Culprit {
    std::size_t row = 0, column = 0;
    bool whole_row = false, whole_column = false;  // the row's (column's) subject itself is at fault
    std::string why;
    bool operator==(const Culprit&) const = default;
  };
  std::string kind;                           // "rail", "node_pair" or "gpu_pair"
  std::string title;                          // "Rails of gpu-a against rails of gpu-b"
  std::string by;                             // of GPU pairs, what moved the data: copy_engine_pairs, or else
  std::string unit;                           // "gbit_s", "gb_s" or "us"; less is worse but for "us"
  std::vector<std::string> rows, columns;     // sender, receiver
  std::vector<std::optional<double>> values;  // row by row; empty: not measured
  std::vector<Culprit> culprits;
  bool operator==(const Matrix&) const = default;
};

// Counts between edges: counts[i] lies in [edges[i], edges[i + 1]).
struct Histogram {
  std::string title;    // "write, 8 B, rail 2"
  std::string subject;  // node, rail or rank
  std::vector<double> edges_us;
  std::vector<std::uint64_t> counts;
  bool operator==(const Histogram&) const = default;
};

// One GPU over the burn-in. The vectors are as long as time_s; a metric that could not be read is empty.
struct GpuTrace {
  struct Event {
    double time_s = 0;
    std::string what;  // "thermal slowdown", "XID 79"
    bool operator==(const Event&) const = default;
  };
  std::string node;
  int gpu = 0;
  std::vector<double> time_s, sm_clock_mhz, power_w, temperature_c;
  std::optional<double> power_limit_w, slowdown_temperature_c;
  std::vector<Event> events;
  bool operator==(const GpuTrace&) const = default;
};

// One figure of one GPU in the burn-in.
struct GpuResult {
  std::string node;
  int gpu = 0;
  std::string uuid, test, metric, unit;  // "hbm", "copy", "GB/s"
  double value = 0, min = 0, max = 0;    // median and extremes of the samples
  std::uint64_t samples = 0;
  std::optional<double> bound;           // at least (launch latencies: at most)
  std::optional<double> share_of_limit;  // of what the hardware's clock and width allow
  Status status = Status::skip;          // judged against bound and node; "skip": only recorded
  bool operator==(const GpuResult&) const = default;
};

struct Figures {
  std::optional<Interconnect> interconnect;
  std::optional<PolicyText> policy;
  std::vector<RailResult> rails;
  std::vector<RailSum> rail_sums;
  std::vector<NodeMeeting> meetings;
  std::vector<Matrix> matrices;
  std::vector<Histogram> histograms;
  std::vector<GpuTrace> gpu_traces;
  std::vector<GpuResult> gpu_results;
  std::optional<FleetFigures> fleet;
  bool operator==(const Figures&) const = default;
};

}  // namespace mlc
