// The whole run: the one record every face renders. reports/schema/report.v1.json is its contract.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "reports/record/figures.hpp"
#include "reports/record/finding.hpp"
#include "reports/record/series.hpp"
#include "reports/record/stage_record.hpp"
#include "reports/record/verdict.hpp"

namespace mlc {

inline constexpr std::string_view report_schema = "mlc-bench/report/v1";

struct Tool {
  std::string version;                       // of mlc-bench
  std::map<std::string, std::string> built;  // "mpi": "Open MPI 4.1.4", "cuda": "absent: nvcc not found"
  bool operator==(const Tool&) const = default;
};

struct Run {
  std::string id;                    // unique: node, start and random part
  std::vector<std::string> command;  // argv as typed
  std::string started;               // RFC 3339, UTC
  double duration_s = 0;
  int ranks = 1;
  int nodes = 1;              // machines: two ranks of one machine are on one node, whatever they call it
  std::string backend;        // "loopback", "mpi", "nccl"; empty for commands without one
  std::string policy;         // name of the policy judged against
  std::string policy_digest;  // "sha256:..." of its text; empty: of a report that did not keep it
  std::string plan;           // of a burn-in: "burnin" or "health", the policy's section
  std::string fault;          // as it was planted with --inject; empty: none
  bool operator==(const Run&) const = default;
};

struct Gpu {
  int index = 0;
  std::string name, uuid, pci, driver;
  bool operator==(const Gpu&) const = default;
};

struct Node {
  std::string name, kernel, os, cpu;
  int cpus = 0;                                 // online logical processors this process may use
  std::map<std::string, std::string> versions;  // "driver", "firmware", "kubelet", ...: what may drift
  std::vector<Gpu> gpus;
  std::vector<int> ranks;  // world ranks that ran here
  std::string boot_id;     // the kernel's id of this boot, which the kubelet reports too; empty: not known
  std::string machine_id;  // /etc/machine-id, which the kubelet reports too; empty: not known
  bool operator==(const Node&) const = default;
};

struct Environment {
  std::vector<Node> nodes;
  std::map<std::string, std::string> variables;  // an allow-list, never the whole environment
  bool operator==(const Environment&) const = default;
};

// The tool could not do something. Never a statement about the node's fitness.
struct ErrorEntry {
  std::string what;   // "rank 2 was killed"
  std::string where;  // "rank 2 on gpu-b"
  std::string phase;  // "allreduce 1 MiB out-of-place"
  std::string hint;   // what to do next
  bool operator==(const ErrorEntry&) const = default;
};

struct Report {
  Tool tool;
  Run run;
  Environment environment;
  std::vector<Series> series;
  std::vector<Finding> findings;
  std::vector<StageRecord> stages;  // of a burn-in
  Figures figures;
  Verdict verdict;
  std::vector<ErrorEntry> errors;
  bool operator==(const Report&) const = default;
};

}  // namespace mlc
