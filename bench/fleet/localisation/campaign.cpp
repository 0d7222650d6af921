#include "bench/fleet/localisation/campaign.hpp"

#include <algorithm>
#include <stdexcept>

#include "bench/fleet/localisation/decoder.hpp"

namespace mlc::fleet {

namespace {

constexpr int rounds_for_all = 2;  // that nobody is spared

std::vector<int> nodes_that(const std::vector<bool>& in, const std::vector<bool>& not_in) {
  std::vector<int> nodes;
  for (std::size_t i = 0; i < in.size(); ++i)
    if (in[i] && !not_in[i]) nodes.push_back(static_cast<int>(i));
  return nodes;
}

}  // namespace

Campaign::Campaign(CampaignPlan plan, Topology topology)
    : plan_(std::move(plan)), topology_(std::move(topology)) {
  if (topology_.nodes < 2) throw std::invalid_argument("a campaign needs two nodes: one has nobody to meet");
  if (plan_.rules.rounds < rounds_for_all || plan_.rules.rounds > mlc::fleet::most_rounds)
    throw std::invalid_argument("a campaign has 2 to " + std::to_string(mlc::fleet::most_rounds) + " rounds");
  most_rounds_ = rounds_of(topology_.nodes, plan_.rules.rounds);
  const auto nodes = static_cast<std::size_t>(topology_.nodes);
  gathered_ = {.tests = {},
               .participants = std::vector<bool>(nodes, true),
               .lost = std::vector<bool>(nodes, false),
               .watched = plan_.watched};
  judgement_.nodes.assign(nodes, Standing::unresolved);
  plan_round({});
}

void Campaign::plan_round(std::vector<int> first) {
  RoundQuestion question{.seed = plan_.seed,
                         .round = round_,
                         .participants = nodes_that(gathered_.participants, gathered_.lost),
                         .suspects = judgement_.suspects,
                         .bad = judgement_.bad,
                         .first = std::move(first),
                         .doubtful = {},
                         .uplinks = judgement_.open_uplinks,
                         .paths = judgement_.open_paths};
  if (round_ > rounds_for_all)
    question.suspects.insert(question.suspects.end(), judgement_.uncovered.begin(),
                             judgement_.uncovered.end());
  for (std::size_t i = 0; i < judgement_.nodes.size() && round_ > 1; ++i)
    if (judgement_.nodes[i] != Standing::clean) question.doubtful.push_back(static_cast<int>(i));
  planned_ = pairs(question, topology_, met_);
  tests_planned_ += planned_.size();
}

void Campaign::observe(const std::vector<TestResult>& results, const std::vector<int>& lost) {
  if (ended_) throw std::logic_error("the campaign has ended");
  for (const int node : lost)
    if (node >= 0 && node < topology_.nodes) gathered_.lost[static_cast<std::size_t>(node)] = true;
  auto accepted = accept_results(plan_.id, round_, topology_.rails, planned_, results);
  refused_.insert(refused_.end(), accepted.refused.begin(), accepted.refused.end());
  not_measured_ += accepted.not_measured.size();
  std::vector<bool> rested = gathered_.participants;
  for (const auto& test : accepted.measured) {
    met_.add(test.plan.first, test.plan.second);
    rested[static_cast<std::size_t>(test.plan.first)] = rested[static_cast<std::size_t>(test.plan.second)] =
        false;
  }
  auto& tests = gathered_.tests;
  tests.insert(tests.end(), std::make_move_iterator(accepted.measured.begin()),
               std::make_move_iterator(accepted.measured.end()));
  judgement_ = judge(gathered_, topology_, plan_.rules);
  planned_.clear();
  const bool all_meet = topology_.nodes <= most_nodes_for_all_pairs;
  // Few nodes meet again for a node that is open, and not for what lies between them: over TCP a port is slow
  // now and then.
  const bool settled = judgement_.suspects.empty() && judgement_.uncovered.empty() &&
                       (all_meet || (judgement_.open_uplinks.empty() && judgement_.open_paths.empty()));
  const int least = all_meet ? rounds_until_all_met(topology_.nodes) : rounds_for_all;
  if (round_ >= most_rounds_ || (settled && round_ >= least)) {
    ended_ = true;
    return;
  }
  const int held = round_++;
  plan_round(nodes_that(rested, gathered_.lost));
  // Of three nodes one rests in each round.
  while (all_meet && planned_.empty() && round_ > least && round_ < most_rounds_)
    ++round_, plan_round({});
  if (planned_.empty() && round_ > least) ended_ = true, round_ = held;
}

}  // namespace mlc::fleet
