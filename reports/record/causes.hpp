// Which findings follow from which. A check that cannot be made before another one is mended says so
// (Finding::depends_on); people are told the causes, and under each what waits for it. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "reports/record/finding.hpp"

namespace mlc {

// What the list shows at `index`, and what follows from it.
struct Cause {
  std::size_t index = 0;             // into the findings
  std::vector<std::size_t> waiting;  // likewise: those that follow from it, in the list's order
  bool operator==(const Cause&) const = default;
};

// All findings that are neither passed nor skipped, each once: as a cause, or as what waits for one. The
// worst first; of equally bad ones that for which more checks wait; else in the list's order. A finding whose
// cause is not in the list (its check was not run, or passed) is one itself. That a stage failed follows from
// what failed in it.
std::vector<Cause> causes(const std::vector<Finding>& findings);

// The stage of a burn-in whose own finding this is, "allreduce" of burnin.allreduce; empty: of none.
std::string stage_of(const Finding& finding);

// Of whom, and what was seen: "mlx5_3/1: 1: DOWN"; of the node or all of its rails, what was seen alone.
std::string observed_of(const Finding& finding);

// "32 checks need it: 5 of pci, 7 of rdma, 20 of net", or their names where they are few; empty where nothing
// waits.
std::string waiting_text(const std::vector<Finding>& findings, const std::vector<std::size_t>& waiting);

}  // namespace mlc
