// What was typed after `rdma`, and what it means.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bench/cli/measuring_options.hpp"
#include "bench/cli/output_options.hpp"
#include "bench/engine/fault.hpp"
#include "bench/rdma/judge.hpp"
#include "bench/rdma/lane.hpp"
#include "bench/rdma/plan.hpp"
#include "bench/rdma/rail.hpp"
#include "validators/policy/policy.hpp"

namespace mlc {

struct RdmaOptions {
  // As typed; rdma_request_of() makes sense of them.
  SizeOptions sizes;
  MeasuringOptions measuring;
  std::string operation = "write", mode, timeout = "60s", rails, devices, memory = "host", wait = "auto",
              connect, listen, policy = "local", fault;
  bool latency = false, message_rate = false, bidirectional = false, one_way = false, solo = false,
       together = false, both = false, matrix = false, loopback = false;
  int pairs = 4, depth = 128, moderation = 0, chain = 0, inline_bytes = -1, traffic_class = 0, mtu = 0,
      gid_index = -1;
  CLI::Option* listens = nullptr;  // given without a value, the default port
  OutputOptions output;

  void add_to(CLI::App& command);
};

struct RdmaRequest {
  rdma::Plan plan;
  rdma::Bounds bounds;
  rdma::RailChoice rails;
  rdma::Wait wait = rdma::Wait::automatic;
  std::optional<Fault> fault;
  std::string fault_text;     // as it was given
  std::optional<int> listen;  // port
  std::string connect_host;   // empty: does not connect
  int connect_port = 0;
  bool loopback = false;
  Policy policy;
};

RdmaRequest rdma_request_of(const RdmaOptions& options);  // throws UsageError or PolicyError

const char* rdma_explained();  // for `mlc-bench explain rdma`

// What the connecting end sends to the listening one, and back. The reader throws std::runtime_error.
std::string plan_text(const rdma::Plan& plan, const rdma::Bounds& bounds);
std::pair<rdma::Plan, rdma::Bounds> plan_from_text(const std::string& text);

}  // namespace mlc
