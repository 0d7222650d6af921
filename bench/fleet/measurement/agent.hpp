// One node's part in a campaign: goes where the coordinator says, carries flows, says what it counted.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/fleet/measurement/engine.hpp"
#include "reports/record/exit_code.hpp"

namespace mlc::fleet {

inline constexpr double agent_alive_every_s = 1;

struct AgentSelf {
  int index = 0;  // in the campaign's list, from 0
  std::string node, boot_id;
  std::string program;  // version and digest: all must have the same
  std::string busy;     // why it cannot take part; it is refused by name then
};

struct CoordinatorPlace {
  std::vector<std::string> hosts;  // tried in turn
  int port = 0;
  std::string key;
  double come_within_s = 60;  // until it must have answered
  double silence_s = 60;      // of it, after which it is given up
};

struct AgentHooks {
  std::function<bool(double)> pause;  // waits no longer than so long; true: told to stop
};

struct AgentEnd {
  ExitCode code = ExitCode::tool;  // of the campaign, as the coordinator has it
  std::string trouble;             // why there is none
  bool interrupted = false;
};

// Never throws for what others do.
AgentEnd take_part(const CoordinatorPlace& coordinator, const AgentSelf& self, Engine& engine,
                   const AgentHooks& hooks);

}  // namespace mlc::fleet
