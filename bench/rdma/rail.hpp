// A rail as it is measured: which device, which GID, where its threads and memory belong.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "validators/host/host.hpp"
#include "validators/host/verbs.hpp"
#include "validators/policy/policy.hpp"

namespace mlc::rdma {

struct RailFacts {
  int index = 0;
  std::string device, netdev;
  std::string gid;      // as sysfs has it
  int gid_index = -1;   // none: see problem
  std::string network;  // "10.10.2.0/24"; empty: not known
  double rate_gbit_s = 0;
  int numa_node = -1;   // -1: not known, or one node only
  std::string problem;  // why it cannot be measured; empty: it can
  std::string warning;
  std::string doubt;  // why it may not be the rail that the policy means; empty: it is
  bool operator==(const RailFacts&) const = default;
  std::string name() const;  // "rail 2 (mlx5_2, ens3f2v0)"
};

struct RailChoice {
  std::vector<int> rails;            // only these; empty: all
  std::vector<std::string> devices;  // only these, in this order; empty: all
  std::optional<int> gid_index;
};

// The rails of this machine, in rail order, as the validators choose them (validators/checks/rails.hpp). A
// rail that cannot be used, or that the policy names and this machine lacks, is listed with its problem.
// Throws BackendError where there is no RDMA device at all, none of those asked for, or nothing says which
// are rails.
std::vector<RailFacts> rails_here(const Host& host, const Policy& policy, const RailChoice& choice);

}  // namespace mlc::rdma
