// What "fit" means, as data. A policy is a YAML file; policies/*.yaml are built into the program by name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "validators/policy/admit_policy.hpp"
#include "validators/policy/burnin_plan.hpp"
#include "validators/policy/dispatch_policy.hpp"
#include "validators/policy/gpu_expectation.hpp"
#include "validators/policy/node_expectation.hpp"
#include "validators/policy/rdma_expectation.hpp"
#include "validators/policy/yaml_reader.hpp"

namespace mlc {

// What the interconnect of one node should carry, one way.
struct Target {
  int rails = 0;
  double rail_gbit_s = 0;  // signalling rate of one rail
  int mtu = 4096;          // RDMA path MTU in bytes

  double gb_s() const { return rails * rail_gbit_s / 8; }  // 4 x 200 Gbit/s is 100 GB/s
  // What the wire can carry as payload: RoCEv2 over IPv4 adds 82 bytes a packet (preamble and gap 20,
  // Ethernet 14, IPv4 20, UDP 8, BTH 12, ICRC 4, FCS 4), so 98.04 % at MTU 4096.
  double ceiling_gb_s() const { return gb_s() * mtu / (mtu + 82); }
  double rail_ceiling_gbit_s() const { return rail_gbit_s * mtu / (mtu + 82); }
  bool operator==(const Target&) const = default;
};

// Error rates of one verdict and the budget to reach it (bench/stats/judging.hpp).
struct Confidence {
  double false_admit = 1e-3;   // P(pass | median below the bound), at most
  double false_reject = 1e-2;  // P(fail | median at or above the bound), at most
  int max_batches = 60;        // then inconclusive, where a threshold is judged quickly
  double batch_s = 0.02;       // one scored batch lasts at least this long
  double observe_s = 30;       // for admission nothing is concluded on less: heat takes its time
  double stall_s = 0.5;        // nor passes where one iteration exceeds the median by more than this
  bool operator==(const Confidence&) const = default;
};

// "This collective, at these sizes, on this many nodes, must reach this." Empty fields match anything.
struct Threshold {
  std::string collective;
  std::string backend, dtype, redop, placement;
  std::optional<int> nodes, ranks;
  std::vector<std::uint64_t> sizes;                 // exact sizes; these are added to the sweep
  std::optional<std::uint64_t> min_size, max_size;  // or a range: judges whatever is measured in it
  std::optional<double> busbw_gb_s;                 // at least
  std::optional<double> time_us;                    // median at most
  std::string asked;                                // as written: "92 % of target"
  bool operator==(const Threshold&) const = default;
};

struct Policy {
  std::string name = "none";
  std::string about;
  std::string source;  // "built in" or the path
  std::string text;    // as it was written
  std::string digest;  // of the text: "sha256:..."
  std::optional<Target> target;
  Confidence confidence;
  bool unknown_blocks = true;  // a check that could not be made keeps the verdict from being a pass
  std::vector<Threshold> thresholds;
  std::optional<NodeExpectation> node;  // what the validators expect of one node
  std::optional<GpuExpectation> gpu;    // what the burn-in expects of each of its GPUs
  std::optional<BurninPlan> burnin;     // what `burnin` runs
  std::optional<BurninPlan> health;     // what `burnin --health` runs
  std::optional<BurninPlan> passive;    // what `burnin --passive` runs: no load, so on busy nodes too
  std::optional<BurninPlan> fabric;     // what nodes run with each other, after what each runs alone
  DispatchPolicy dispatch;              // which node is tested next
  AdmitPolicy admit;                    // what `admit` makes of a verdict
  std::optional<RdmaExpectation> rdma;  // what `mlc-bench rdma` must find between two nodes
};

// Throws PolicyError. `file` is for messages only. `asked`: what the readers asked the text for.
Policy read_policy(const std::string& content, const std::string& file,
                   std::vector<AskedKey>* asked = nullptr);

// NAME of a built-in policy, or a path. Throws PolicyError: not found (with the names there are), not
// readable, not a regular file, over 1 MiB, or malformed.
Policy load_policy(const std::string& name_or_path);

struct BuiltInPolicy {
  std::string_view name, content;
};
const std::vector<BuiltInPolicy>& built_in_policies();  // generated from policies/*.yaml by CMake

}  // namespace mlc
