// The Pod of a fabric stage that says who meets whom, round by round, and gathers what they saw. It measures
// nothing itself: its own node is a member like the others, in a process of its own.
#pragma once

#include <functional>
#include <string>

#include "bench/burnin/fabric_record.hpp"
#include "validators/policy/policy.hpp"

namespace mlc {

struct FabricTerms {
  std::string key;       // of this stage: whoever has it takes part
  std::string key_file;  // that it stands in
  std::string program;   // version and digest, which all must share
  int port = 18520;      // the leader's; a member that listens for a rail's peer takes this + 1 + its index
  double gather_s = 180;
  double silence_s = 60;  // of the leader, after which a member gives it up
  DecodeCampaign decode;
};

struct LeaderHooks {
  std::function<bool(double)> pause;  // waits no longer than so long; true: told to stop
  std::function<void(const std::string&)> say;
};

// Until everything is held or the budget is over. `members`: how many come, or 0 where nobody said; without
// that it waits for all of `gather_s`. Throws LinkError where it cannot listen.
FabricRecord lead_fabric_stage(const Policy& policy, const BurninPlan& plan, const FabricTerms& terms,
                               int members, const LeaderHooks& hooks);

}  // namespace mlc
