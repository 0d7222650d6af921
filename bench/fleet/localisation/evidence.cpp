#include <algorithm>

#include "bench/fleet/localisation/weighing.hpp"

namespace mlc::fleet {

namespace {

constexpr std::size_t most_for = 6, most_against = 3;

}  // namespace

void add_evidence(Located& located, const Explanation& explanation, const Weighing& weighing,
                  const Gathered& gathered, bool by_queue_pair) {
  std::vector<FlowEvidence> all;
  for (const std::uint32_t flow : weighing.decoder.flows_of(explanation.component)) {
    const FlowPlace& place = weighing.flows.places[flow];
    const Problem& problem = weighing.flows.problem;
    const auto& seen = flow_of(gathered.tests[place.test].flows, place.rail, place.back);
    const Logs& logs = problem.logs[flow];
    all.push_back({.round = problem.round[flow] + 1,
                   .from = problem.from[flow],
                   .to = problem.to[flow],
                   .rail = place.rail,
                   .queue_pair = by_queue_pair ? place.queue_pair : -1,
                   .ratio = weighing.flows.rates[flow],
                   .shares = seen.shares,
                   .at_sender = seen.at_sender,
                   .at_receiver = seen.at_receiver,
                   .nats = log_of(logs, explanation.weight.severity) - logs[0]});
  }
  std::ranges::stable_sort(all, [](const FlowEvidence& a, const FlowEvidence& b) { return a.nats > b.nats; });
  for (const auto& each : all)
    if (each.nats > 0 && located.evidence_for.size() < most_for) located.evidence_for.push_back(each);
  for (auto each = all.rbegin(); each != all.rend(); ++each)
    if (each->nats < 0 && located.evidence_against.size() < most_against)
      located.evidence_against.push_back(*each);
}

}  // namespace mlc::fleet
