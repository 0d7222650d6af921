// What to say when a verb fails: which rail, device, GID, peer and step, and what to look at next. Pure.
#pragma once

#include <string>

#include "bench/rdma/rail.hpp"

namespace mlc::rdma {

struct Ends {
  std::string node;  // this one
  RailFacts rail;
  std::string peer_node;
  RailFacts peer;
};

// "ibv_modify_qp to RTR: Connection timed out on rail 2 (mlx5_2, ens3f2v0), GID 3 10.10.2.21, towards rail 2 (mlx5_2,
// ens3f2v0) of gpu-b, GID 10.10.2.22"
std::string failure_text(const std::string& what, const Ends& ends);

// What an operator does next: for an RTR that timed out (ETIMEDOUT) or retries that ran out, the route and neighbour
// checks to run, with their arguments filled in. `what` as in failure_text.
std::string failure_remedy(const std::string& what, const Ends& ends);

}  // namespace mlc::rdma
