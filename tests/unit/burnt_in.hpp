// A policy, and the report of a burn-in under it that earns its pass, for tests that take something away from
// it.
#pragma once

#include <ctime>
#include <string>

#include "reports/record/moment.hpp"
#include "validators/deciding/decide.hpp"

namespace mlc::test {

inline constexpr std::time_t began = 1'700'000'000;
inline constexpr const char* version = "1.2.3";

inline constexpr const char* admitting_text = R"(policy: test
thresholds:
  - {collective: allreduce, backend: nccl, nodes: 1, ranks: 8, sizes: [8G], placement: out_of_place, busbw_at_least: 460 GB/s}
node:
  host: {nofile: 1}
burnin:
  stages:
    - {stage: validate, command: [validate]}
    - {stage: allreduce, command: [allreduce, --backend, nccl, --sizes, 8G, --placement, out], launches: 2}
    - {stage: far, command: [rdma, write, --connect, "{peer}:9"], required: false}
)";

inline const Policy& admitting_policy() {
  static const Policy policy = read_policy(admitting_text, "test");
  return policy;
}

inline Series allreduce(int launch = 1) {
  Series s{.collective = "allreduce", .dtype = "float", .redop = "sum"};
  s.bytes = s.requested_bytes = 8ull << 30;
  s.ranks = 8, s.nodes = 1, s.backend = "nccl", s.samples = 100, s.wrong = 0;
  s.time_us = {.min = 30'000, .p50 = 32'000, .p95 = 33'000, .p99 = 33'000, .max = 34'000, .mean = 32'000};
  s.observation = Observation{.timed_s = 31, .wall_s = 31.5};
  s.observation->wall_busbw_gb_s = 468, s.observation->longest_us = 34'000;
  s.observation->block_s = 0.3, s.observation->blocks = s.observation->blocks_reached = 100;
  s.observation->slices = s.observation->slices_reached = 20, s.observation->end_share = 1;
  s.time_us.p99 += launch;  // no two launches are alike
  s.algbw_gb_s = static_cast<double>(s.bytes) / s.time_us.p50 / 1e3;
  s.busbw_gb_s = s.algbw_gb_s * 1.75;  // 469.8
  s.threshold = Judgement{
      .metric = "busbw_gb_s", .bound = 460, .status = Status::pass, .why = "at least 460", .observe_s = 30};
  s.stop = "decided", s.stage = "allreduce", s.launch = launch, s.of_launches = 2;
  return s;
}

inline Report earned_report() {
  Report r;
  r.tool.version = version;
  r.run = {.id = "run-1", .command = {"mlc-bench", "burnin"}, .started = rfc3339(began), .duration_s = 600};
  r.run.policy = "test", r.run.policy_digest = admitting_policy().digest, r.run.plan = "burnin";
  Node node;
  node.name = "gpu-7", node.boot_id = "boot-1", node.machine_id = "machine-1";
  r.environment.nodes = {node};
  r.series = {allreduce(1), allreduce(2)};
  r.findings = {
      {.check = "host.limits", .subject = "nofile", .status = Status::pass, .stage = "validate", .launch = 1},
      {.check = "rdma.mtu", .subject = "rail 0", .status = Status::skip, .stage = "validate", .launch = 1},
      {.check = "burnin.validate", .subject = "stage", .status = Status::pass}};
  r.stages = {{"validate", {"validate"}, 1, Status::pass, "pass in 1 s"},
              {"allreduce",
               {"allreduce", "--backend", "nccl", "--sizes", "8G", "--placement", "out"},
               2,
               Status::pass,
               "pass in 9 s"}};
  return r;
}

inline Wanted wanted() {
  return {.plan = admitting_policy().burnin,
          .checks = {{"host.limits", {"host.nofile"}}, {"rdma.mtu", {}}},
          .collectives = {{"allreduce", true, true, {}},
                          {"alltoall", false, false, {}},
                          {"broadcast", false, true, {"mpi"}}},
          .node = NodeIdentity{"gpu-7", "boot-1", "machine-1"},
          .version = version,
          .now = began + 700,
          .clock_skew_s = 300};
}

}  // namespace mlc::test
