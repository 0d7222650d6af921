// What a report says of the machine it ran on.
#pragma once

#include <cstdint>
#include <string>

#include "bench/ranks/control.hpp"
#include "reports/record/report.hpp"

namespace mlc {

// The Kubernetes node where the downward API gave NODE_NAME, else the host name.
std::string node_name();

Node this_node();

// Every rank's node, grouped: the same on all ranks.
std::vector<Node> gather_nodes(Control& control, const Node& mine);

// How many machines they are. Each boot of a kernel is one: two Pods or containers of one machine have names
// and network namespaces of their own, and share its rails.
int machines_of(const std::vector<Node>& nodes);

// The variables that change what is measured (NCCL_*, OMPI_MCA_*, UCX_*, CUDA_VISIBLE_DEVICES), never the
// whole environment; values of names that look like secrets are left out.
std::map<std::string, std::string> telling_variables();

// Memory that can be used here without swapping: of the machine, and of this process's control group if that
// is less.
std::uint64_t usable_memory();

// Processors this process may run on.
int usable_cpus();

}  // namespace mlc
