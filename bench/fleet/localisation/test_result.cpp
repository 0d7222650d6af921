#include "bench/fleet/localisation/test_result.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "bench/fleet/localisation/likelihood.hpp"
#include "reports/record/text.hpp"

namespace mlc::fleet {

namespace {

constexpr std::size_t most_refused = 100;  // sentences; a flood of results must not become one of text
constexpr double most_rate = 4;            // of the target: beyond is a fault of the measurement

bool is_share(double value) { return std::isfinite(value) && value >= 0 && value <= most_rate * queue_pairs; }

// Why this flow cannot be; empty: it can.
std::string wrong_in(const FlowResult& flow) {
  if (flow.dead) return {};
  if (!is_share(flow.rate) || flow.rate > most_rate)
    return "a rate of " + shortest(flow.rate) + " times the target";
  if (!is_share(flow.error)) return "a standard error that is none";
  if (flow.slow_windows < 0 || flow.slow_windows > windows_a_test) return "a number of windows that is none";
  for (const double share : flow.shares)
    if (!is_share(share)) return "a queue pair's rate that is none";
  return {};
}

std::string name_of(const TestResult& result) {
  return "the result of nodes " + std::to_string(result.first) + " and " + std::to_string(result.second) +
         ", round " + std::to_string(result.round) + ": ";
}

}  // namespace

std::string wrong_in(const TestResult& result, int rails) {
  if (const int flows = 2 * rails; result.flows.size() != static_cast<std::size_t>(flows))
    return std::to_string(result.flows.size()) + " flows where " + std::to_string(rails) + " rails have " +
           std::to_string(2 * rails);
  for (std::size_t i = 0; i < result.flows.size(); ++i)
    if (const auto why = wrong_in(result.flows[i]); !why.empty())
      return why + ", rail " + std::to_string(i / 2) + (i % 2 == 0 ? " forth" : " back");
  return {};
}

Accepted accept_results(std::uint64_t campaign, int round, int rails, const std::vector<PlannedTest>& planned,
                        const std::vector<TestResult>& results) {
  Accepted accepted;
  std::size_t more = 0;
  const auto refuse = [&](const TestResult& result, const std::string& why) {
    if (accepted.refused.size() < most_refused)
      accepted.refused.push_back(name_of(result) + why);
    else
      ++more;
  };
  std::map<std::pair<int, int>, std::vector<const TestResult*>> by_pair;
  for (const auto& test : planned)
    by_pair[{test.first, test.second}];
  for (const auto& result : results) {
    const auto at = by_pair.find({result.first, result.second});
    if (result.campaign != campaign)
      refuse(result, "it is of another campaign");
    else if (result.round != round)
      refuse(result, "this is round " + std::to_string(round));
    else if (at == by_pair.end())
      refuse(result, "these two were not to meet");
    else
      at->second.push_back(&result);
  }
  auto tests = planned;
  std::ranges::sort(tests);
  for (const auto& test : tests) {
    const auto& came = by_pair[{test.first, test.second}];
    std::string why;
    // Sent twice is once; two that differ are two measurements of one, and neither can be chosen.
    for (std::size_t i = 1; i < came.size() && why.empty(); ++i)
      if (*came[i] != *came[0]) why = "there is another of the same test that differs";
    if (why.empty() && !came.empty()) why = wrong_in(*came[0], rails);
    if (!why.empty()) refuse(*came[0], why);
    if (came.empty() || !why.empty())
      accepted.not_measured.push_back(test);
    else
      accepted.measured.push_back({round, test, came[0]->flows});
  }
  if (more > 0) accepted.refused.push_back("and " + std::to_string(more) + " more");
  return accepted;
}

}  // namespace mlc::fleet
