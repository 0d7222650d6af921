#include <array>

#include "validators/policy/policy_keys.hpp"

namespace mlc {

std::span<const DescribedKey> plan_keys() {
  static constexpr auto keys = std::to_array<DescribedKey>({
      {"burnin", "", "", "", "what mlc-bench burnin runs on a new node"},
      {"burnin.budget", "a time", "60 min", "60 min", "no stage is begun whose whole limit does not fit"},
      {"burnin.stages", "", required_key, "", "what is run, in this order"},
      {"burnin.stages[].stage", "a name of a-z, 0-9 and -", required_key, "gpu", "its name, once in a plan"},
      {"burnin.stages[].command", "words of a command", required_key, "[gpu, --quick]",
       "what is run: validate, gpu, rdma, a collective, or of a fabric stage fleet, with its options"},
      {"burnin.stages[].limit", "a time", "10 min", "10 min", "of one launch"},
      {"burnin.stages[].launches", "", "1", "3", "times that it is run, each with communicators of its own"},
      {"burnin.stages[].stop_on_fail", "", "false", "true", "where it fails, nothing after it is run"},
      {"burnin.stages[].required", "", "true", "false", "without its verdict the node cannot pass"},

      // Their keys are those of `burnin`.
      {"fabric", "", "", "",
       "what nodes that passed alone run with each other (docs/fabric.md); keys as burnin has"},
      {"health", "", "", "",
       "what mlc-bench burnin --health runs on nodes that are open and free; keys as burnin has"},
      {"passive", "", "", "",
       "what mlc-bench burnin --passive runs, without load, on busy nodes too; keys as burnin has"},
  });
  return keys;
}

}  // namespace mlc
