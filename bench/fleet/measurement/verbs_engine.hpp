// Flows over RDMA: reliable connections, sends of 64 KiB into posted receives, so that both ends count. The
// flow label of each queue pair is chosen, and with it the UDP source port by which ECMP carries RoCE v2.
#pragma once

#include "bench/fleet/measurement/engine.hpp"
#include "bench/rdma/counters.hpp"
#include "bench/rdma/rail.hpp"
#include "validators/host/file_tree.hpp"
#include "validators/host/verbs.hpp"

namespace mlc::fleet {

// The label that makes the source port 0xC000 + `port`, as ibv_flow_label_to_udp_sport of verbs.h folds it:
// 0xC000 | ((label ^ (label >> 14)) & 0x3FFF). Never 0, which leaves the choice to the driver. Below 2^14
// - 1.
constexpr std::uint32_t flow_label_of(int port) { return static_cast<std::uint32_t>(port) + 1; }

// Which counters of a port grew, as the decoder asks. Pure.
CounterGrowth growth_of(const std::vector<rdma::CounterDelta>& deltas);

struct VerbsSettings {
  std::uint32_t message_bytes = 64 << 10;
  int depth = 64;               // sends outstanding of a queue pair
  FileTree files = FileTree();  // for counters
};

// Opens each rail's device and registers its memory; what fails there is that rail's problem. `verbs` must
// outlive the engine.
std::unique_ptr<Engine> verbs_engine(rdma::Verbs& verbs, std::vector<rdma::RailFacts> rails,
                                     VerbsSettings settings = {});

}  // namespace mlc::fleet
