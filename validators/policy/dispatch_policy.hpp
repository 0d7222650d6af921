// The `dispatch:` section of a policy: which node is tested next, and how many at a time.
#pragma once

#include <string>

#include "validators/policy/yaml_reader.hpp"

namespace mlc {

struct DispatchPolicy {
  int at_once = 32;                // Jobs with local stages that may be there at the same time
  int fabric_at_once = 4;          // Jobs with fabric stages
  int partners = 3;                // other nodes that each node of a fabric stage meets, at least
  int fabric_nodes = 8;            // in one fabric stage, at most; above `partners`
  double gather_s = 300;           // new nodes wait so long for each other before witnesses are taken
  double retry_first_s = 600;      // after a run without an answer; doubled each time
  double retry_most_s = 86400;     // and no longer than this
  double health_every_s = 86400;   // an open and free node is due for the active look
  double passive_every_s = 43200;  // every node for the passive look
  std::string job_namespace = "mlc-bench";
  std::string queue;  // of Kueue, for its label; none: the scheduler alone
  bool operator==(const DispatchPolicy&) const = default;
};

// Throws PolicyError.
DispatchPolicy read_dispatch_policy(YamlMap map);

}  // namespace mlc
