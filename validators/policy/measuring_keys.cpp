#include <array>

#include "validators/policy/policy_keys.hpp"

namespace mlc {

std::span<const DescribedKey> measuring_keys() {
  static constexpr auto keys = std::to_array<DescribedKey>({
      {"policy", "a name", required_key, "my-site", "its name, in reports and messages"},
      {"about", "", "", "8 x H100 of the second hall", "what it is for, in one line"},

      {"target", "", "", "",
       "what the interconnect of one node should carry, one way; figures in % refer to it"},
      {"target.rails", "", required_key, "4", "rails of a node"},
      {"target.rail_gbit_s", "Gbit/s", required_key, "200", "signalling rate of one rail"},
      {"target.mtu", "bytes", "4096", "4096",
       "RDMA path MTU, a power of two; of 4096 the wire carries 98.04 % as payload (RoCE v2)"},

      {"confidence", "", "{}", "", "how sure a verdict about a bandwidth has to be (docs/error_rates.md)"},
      {"confidence.false_admit", "a probability", "0.001", "0.001",
       "that a node two standard deviations below a threshold passes, at most"},
      {"confidence.false_reject", "a probability", "0.01", "0.01",
       "that a node two standard deviations above a threshold fails, at most"},
      {"confidence.max_batches", "", "60", "60",
       "batches after which a quick look ends without a conclusion"},
      {"confidence.batch", "a time", "20 ms", "20 ms", "length of one scored batch, at least"},
      {"confidence.observe", "a time", "30 s", "30 s",
       "in a burn-in nothing is concluded on less: heat takes its time"},
      {"confidence.stall", "a time", "500 ms", "500 ms",
       "in a burn-in no iteration may exceed the median by more"},

      {"unknown_blocks", "", "true", "true",
       "a check that could not be made keeps the verdict from being a pass"},

      {"thresholds", "", "", "", "what collectives must reach; fields that are left out fit anything"},
      {"thresholds[].collective", "a name", required_key, "allreduce", "mlc-bench list collectives"},
      {"thresholds[].backend", "a name", "", "nccl", "mlc-bench list backends"},
      {"thresholds[].dtype", "a name", "", "float", "mlc-bench list dtypes"},
      {"thresholds[].redop", "sum, prod, min, max or avg", "", "sum", "the reduction"},
      {"thresholds[].placement", "in_place or out_of_place", "", "out_of_place", "of the buffers"},
      {"thresholds[].nodes", "", "", "2", "nodes that take part"},
      {"thresholds[].ranks", "", "", "16", "ranks that take part"},
      {"thresholds[].sizes", "sizes", "", "[1G, 8G]", "these sizes, which are added to what is measured"},
      {"thresholds[].min_size", "a size", "", "64M", "or whatever is measured from this size on",
       "thresholds[].sizes"},
      {"thresholds[].max_size", "a size", "", "8G", "up to this size", "thresholds[].sizes"},
      {"thresholds[].busbw_at_least", "GB/s, MB/s, Gbit/s, % of target or % of ceiling", "", "90 % of target",
       "bus bandwidth that the median must reach; the ceiling is the target without what headers take"},
      {"thresholds[].time_at_most", "a time", "", "40 us", "or the median time of one operation",
       "thresholds[].busbw_at_least"},

      {"rdma", "", "", "", "what mlc-bench rdma must find between two nodes, rail by rail"},
      {"rdma.share_of_ceiling", "a share", "", "0.95",
       "of what the target's MTU lets a rail carry, one way, each rail at least"},
      {"rdma.rail_gbit_s", "Gbit/s", "", "190", "or a rate outright", "rdma.share_of_ceiling"},
      {"rdma.share_of_siblings", "a share", "", "0.95",
       "of the median of the node's other rails, each rail at least"},
      {"rdma.share_of_solo", "a share", "", "0.95", "all rails together, of the sum of each alone, at least"},
      {"rdma.latency_us", "µs", "", "6", "median that --latency may show, at most"},
      {"rdma.from_size", "a size", "64K", "64K", "smaller messages are shown and not judged"},
      {"rdma.retests", "", "1", "1", "how often what came out bad is measured again before it is called bad"},
  });
  return keys;
}

}  // namespace mlc
