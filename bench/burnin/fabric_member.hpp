// A Pod of a fabric stage, for its own node: goes where the leader says, measures, and hears at the end what
// all saw.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bench/burnin/fabric_leader.hpp"
#include "reports/record/report.hpp"

namespace mlc {

struct FabricMeeting {
  std::string stage, peer;
  std::vector<std::string> words;  // the command, as the end that began it ran it
  std::optional<Report> report;
};

struct FabricEnd {
  std::optional<FabricRecord> record;  // empty: see trouble
  std::vector<FabricMeeting> meetings;
  std::string trouble;
  bool interrupted = false;
};

struct MeasuredMeeting {
  int code = 3;
  std::string why;                                // where there is no verdict
  std::string report;                             // JSON; empty: none
  std::optional<fleet::CampaignRecord> campaign;  // of who drove one
  bool interrupted = false;
};

struct MemberHooks {
  std::function<MeasuredMeeting(const BurninStage&, const std::vector<std::string>& words, int meeting)>
      measure;
  std::function<bool(double)> pause;  // waits no longer than so long; true: told to stop
  std::function<void(const std::string&)> say;
};

struct FabricSelf {
  int index = 0;
  FabricMember member;
};

// Never throws for what others do: then there is no record, and `trouble` says why.
FabricEnd take_part(const Policy& policy, const BurninPlan& plan, const FabricTerms& terms,
                    const std::string& leader, const FabricSelf& self, const MemberHooks& hooks);

// Of a campaign's command, for the member with this number in it; number 0 drives it. Pure.
std::vector<std::string> campaign_words(const BurninStage& stage, int index, int members,
                                        const std::string& leader, int port, const std::string& key_file);

// Of a stage's command, for the end that begins and the one that is met. Pure; empty where the command names
// no peer.
std::optional<std::vector<std::string>> meeting_words(const BurninStage& stage, bool begins,
                                                      const std::string& own, const std::string& peer,
                                                      int port);

}  // namespace mlc
