// The `admit:` section of a policy: how a verdict becomes the state of a Kubernetes node.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "validators/policy/yaml_reader.hpp"

namespace mlc {

// "key=value:Effect", as kubectl writes it; without an effect NoSchedule.
struct Taint {
  std::string key, value, effect = "NoSchedule";
  bool operator==(const Taint&) const = default;
};

// Refused nodes get this taint, but never more of the fleet in an hour than the share: what breaks everywhere
// at once is the fabric, and tainting every node would not mend it.
struct Quarantine {
  Taint taint{"mlc-bench.io/quarantine", "", "NoSchedule"};
  double share_per_hour = 0.1;  // of the nodes that `fleet` selects, rounded down, and one at least
  std::string ledger_namespace = "mlc-bench",
              ledger = "mlc-bench-quarantine";  // the ConfigMap that counts them
  bool operator==(const Quarantine&) const = default;
};

// A node that reached this on the named collective is of this tier; the first that holds counts.
struct Tier {
  std::string name, collective;
  std::uint64_t bytes = 0;
  double busbw_gb_s = 0;  // at least, of the median
  bool operator==(const Tier&) const = default;
};

struct AdmitPolicy {
  std::string condition = "MLClusterReady";
  std::optional<Taint> startup_taint =
      Taint{"mlc-bench.io/unvalidated", "", "NoSchedule"};  // removed on a pass
  std::optional<Quarantine> quarantine;
  double valid_for_s =
      7 * 86400.0;  // from the end of the run: known good until then; later it is due for a look
  double extended_for_s = 60 * 86400.0;  // passive looks extend a pass up to this long after the run
  double clock_skew_s = 300;             // a node's clock may be this far ahead of the API server's
  // Label selector of the nodes that are ours. The default is the label that every node has which admit ever
  // wrote to or the kubelet registered for it; so control planes do not count.
  std::string fleet = "mlc-bench.io/admission";
  std::vector<Tier> tiers;
  bool operator==(const AdmitPolicy&) const = default;
};

// Throws PolicyError.
AdmitPolicy read_admit_policy(YamlMap map);

}  // namespace mlc
