// One stage of a burn-in: a command of this very program as a child process. Nothing passes through a shell.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "reports/record/exit_code.hpp"
#include "validators/policy/burnin_plan.hpp"

namespace mlc {

// The words of the stage with {peer} as "gpu-b", the first of them, {peers} as "gpu-b,gpu-c" and {nodes} as
// this node and its peers. Empty where the stage needs peers and there are none. Pure.
std::optional<std::vector<std::string>> words_of(const BurninStage& stage, const std::string& node,
                                                 const std::vector<std::string>& peers);

struct StageEnd {
  int code = static_cast<int>(ExitCode::tool);  // the child's; 128 + signal where one ended it
  bool timed_out = false, interrupted = false;
  double seconds = 0;
};

// Runs `command` until it ends, its limit is over, or this process is told to stop; then nothing of it is
// left running. What it says goes to the file `log`. Signals must be blocked (ranks/watch.hpp). Throws
// std::system_error if it cannot be started. `alive` hears all the while for how many seconds it has run;
// `stopping` that this process was told to stop. Told again, what is left is killed.
StageEnd run_stage(const std::vector<std::string>& command, double limit_s, const std::string& log,
                   const std::function<void(double)>& alive = {}, const std::function<void()>& stopping = {});

// The last thing a command said was wrong: what follows "error:", else its last line. Empty if it said
// nothing.
std::string complaint_in(const std::string& log);

}  // namespace mlc
