#include <array>

#include "validators/policy/policy_keys.hpp"

namespace mlc {

std::span<const DescribedKey> cluster_keys() {
  static constexpr auto keys = std::to_array<DescribedKey>({
      {"dispatch", "", "{}", "", "which node mlc-bench dispatch tests next, and how many at a time"},
      {"dispatch.at_once", "", "32", "32", "Jobs with local stages at the same time, at most"},
      {"dispatch.fabric_at_once", "", "4", "4", "Jobs with fabric stages at the same time, at most"},
      {"dispatch.partners", "", "3", "3", "other nodes that each node of a fabric stage meets, at least"},
      {"dispatch.fabric_nodes", "", "8", "8",
       "nodes of one fabric stage, at most; above partners, by default by one at least"},
      {"dispatch.gather", "a time", "5 min", "5 min",
       "that new nodes wait for each other before known good ones are asked"},
      {"dispatch.retry_first", "a time", "10 min", "10 min",
       "after a run without an answer; doubled each time"},
      {"dispatch.retry_most", "a time", "24 h", "24 h",
       "and no longer than this; by default no shorter than retry_first"},
      {"dispatch.health_every", "a time", "24 h", "24 h",
       "after which an open and free node is due for the active look"},
      {"dispatch.passive_every", "a time", "12 h", "12 h",
       "after which every node is due for the passive look"},
      {"dispatch.namespace", "a name", "mlc-bench", "mlc-bench", "of the Jobs"},
      {"dispatch.queue", "a name", "", "admission", "of Kueue; otherwise the scheduler alone"},

      {"admit", "", "{}", "", "what mlc-bench admit makes of a verdict (docs/admission.md)"},
      {"admit.condition", "a type", "MLClusterReady", "MLClusterReady", "condition of the node that says it"},
      {"admit.startup_taint", "KEY:EFFECT, KEY=VALUE:EFFECT or none", "mlc-bench.io/unvalidated:NoSchedule",
       "mlc-bench.io/unvalidated:NoSchedule", "taken off a node that passes"},
      {"admit.quarantine", "", "", "", "taint nodes that fail; otherwise only the condition says it"},
      {"admit.quarantine.taint", "KEY:EFFECT or KEY=VALUE:EFFECT", "mlc-bench.io/quarantine:NoSchedule",
       "mlc-bench.io/quarantine:NoSchedule", "put on a node that fails"},
      {"admit.quarantine.share_per_hour", "a share", "0.1", "0.1",
       "of the fleet that may be tainted in an hour, one node at least: what breaks everywhere at once is "
       "the fabric"},
      {"admit.quarantine.namespace", "a name", "mlc-bench", "mlc-bench", "of the ledger"},
      {"admit.quarantine.ledger", "a name", "mlc-bench-quarantine", "mlc-bench-quarantine",
       "ConfigMap that counts them"},
      {"admit.valid_for", "a time", "168 h", "168 h",
       "that a pass holds, from the end of the run; a minute at least"},
      {"admit.extended_for", "a time", "1440 h", "1440 h",
       "up to which passive looks extend it, from the end of the run; no shorter than valid_for, which it "
       "follows where that is longer"},
      {"admit.clock_skew", "a time", "5 min", "5 min",
       "that a node's clock may be ahead of the API server's; up to a day"},
      {"admit.fleet", "a label selector", "mlc-bench.io/admission", "mlc-bench.io/admission",
       "of the nodes that are ours"},
      {"admit.tiers", "", "", "", "labels by what a node reached; the first that holds counts"},
      {"admit.tiers[].tier", "a name", required_key, "full", "value of the label"},
      {"admit.tiers[].collective", "a name", required_key, "allreduce", "on which it is judged"},
      {"admit.tiers[].size", "a size", required_key, "8G", "at this size"},
      {"admit.tiers[].busbw_gb_s", "GB/s", required_key, "460", "median bus bandwidth, at least"},
  });
  return keys;
}

}  // namespace mlc
