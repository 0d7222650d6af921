// Drives a campaign (localisation/campaign.hpp) over agents that came to it: rounds are messages. It measures
// nothing itself: its own node has an agent like the others.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "bench/fleet/localisation/campaign.hpp"
#include "bench/fleet/measurement/engine.hpp"
#include "bench/fleet/measurement/round_record.hpp"
#include "bench/ranks/signed_link.hpp"
#include "reports/record/exit_code.hpp"

namespace mlc::fleet {

// The name of an agent that never came, where none was expected by name: no node has such a one.
std::string nameless(int index);  // "index 3"

struct CampaignTerms {
  std::string key, program;
  std::vector<std::string> nodes;  // by index: who is expected; an empty name: whoever comes
  double gather_s = 60;            // until all must be there
  double warm_up_s = .5, test_s = 1.5;
  double deadline_s = 6;     // of what an agent has to answer, beyond the time of the test itself
  double silence_s = 10;     // of an agent, after which it is lost
  double target_gbit_s = 0;  // of a rail; 0: the fastest tenth of the first round's flows are the target
  CampaignPlan plan;
};

struct CoordinatorHooks {
  std::function<bool(double)> pause;  // waits no longer than so long; true: told to stop
  std::function<void(const std::string&)> say;
  std::function<void(const std::string&)> live;  // a line that replaces the last
  // The fabric between these nodes, which have so many rails each.
  std::function<Topology(const std::vector<std::string>& nodes, int rails)> topology;
  // After each round, before the next: kept on disk, so that a campaign can be resumed.
  std::function<void(const RoundRecord&)> record;
};

struct CampaignEnd {
  std::vector<std::string> nodes;  // names, as the campaign numbers them
  std::string engine;
  std::vector<std::string> troubles;  // what was not measured, or not believed, and why
  int rounds_held = 0;
  double target_gbit_s = 0;
  bool target_inferred = false, interrupted = false;
  std::string nothing;  // why there was no campaign; empty: there was
};

class Coordinator {
 public:
  Coordinator(FileDescriptor listener, CampaignTerms terms, CoordinatorHooks hooks);
  ~Coordinator();
  // Rounds that were held before this process are observed, not held again.
  CampaignEnd hold(const std::vector<RoundRecord>& held);
  // Of hold(); null where there was none.
  const Campaign* campaign() const;
  // The last word to all agents: what they exit with.
  void dismiss(ExitCode code);

 private:
  class Held;
  std::unique_ptr<Held> held_;
};

}  // namespace mlc::fleet
