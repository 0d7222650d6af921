// The `burnin:` section of a policy: what is run on a new node, in order of cost.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "validators/policy/yaml_reader.hpp"

namespace mlc {

// A command of this program. {peer}, {peers} and {nodes} in its words are replaced (bench/burnin/stage.hpp);
// a stage that has one is left out where no peers were named.
struct BurninStage {
  std::string name;
  std::vector<std::string> command;  // "allreduce", "--sizes", "1G"
  double limit_s = 600;              // for one launch
  int launches = 1;                  // each with communicators of its own: another chance to meet a bad path
  bool stop_on_fail = false;         // what comes after would tell nothing more
  bool required = true;              // without its verdict the node cannot pass
  bool operator==(const BurninStage&) const = default;
};

struct BurninPlan {
  double budget_s = 3600;  // a stage is not begun unless its whole limit fits
  std::vector<BurninStage> stages;
  bool operator==(const BurninPlan&) const = default;
};

// Throws PolicyError.
BurninPlan read_burnin_plan(YamlMap map);

}  // namespace mlc
