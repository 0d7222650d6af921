// A campaign as a value that moves on: planned tests, results observed, decoded, the next round or the end.
// It does no I/O and has no clock: the simulator drives it, and so does whoever measures over a fabric. Given
// the same results it comes to the same state, so that a campaign is resumed by observing its rounds again.
// Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/fleet/localisation/judgement.hpp"
#include "bench/fleet/localisation/pairs.hpp"

namespace mlc::fleet {

struct CampaignPlan {
  std::uint64_t seed = 1;
  std::uint64_t id = 1;  // what results carry, so that another campaign's count for nothing
  Rules rules;
  std::vector<bool> watched;  // by an earlier campaign; may be empty
};

class Campaign {
 public:
  // All nodes of the topology take part. Throws std::invalid_argument: fewer than two nodes, or more rounds
  // than can be decoded.
  Campaign(CampaignPlan plan, Topology topology);

  int round() const { return round_; }  // from 1: the one that is planned; the last one, when it has ended
  int most_rounds() const { return most_rounds_; }
  bool ended() const { return ended_; }
  const std::vector<PlannedTest>& planned() const { return planned_; }
  // What came of the planned tests, and whose agents are gone since.
  void observe(const std::vector<TestResult>& results, const std::vector<int>& lost = {});

  const Judgement& judgement() const { return judgement_; }
  const Topology& topology() const { return topology_; }
  const Gathered& gathered() const { return gathered_; }
  const CampaignPlan& plan() const { return plan_; }
  std::size_t tests_planned() const { return tests_planned_; }
  std::size_t not_measured() const { return not_measured_; }
  const std::vector<std::string>& refused() const { return refused_; }

 private:
  void plan_round(std::vector<int> first);

  CampaignPlan plan_;
  Topology topology_;
  Gathered gathered_;
  Judgement judgement_;
  Met met_;
  std::vector<PlannedTest> planned_;
  std::vector<std::string> refused_;
  std::size_t tests_planned_ = 0, not_measured_ = 0;
  int round_ = 1, most_rounds_ = 5;
  bool ended_ = false;
};

}  // namespace mlc::fleet
