#include "bench/fleet/schedule.hpp"

#include <algorithm>

namespace mlc::fleet {

namespace {

constexpr int enough_for_a_witness = 2;

std::size_t at(int node) { return static_cast<std::size_t>(node); }

int needed(const Progress& progress, int node, int partners) {
  const int most = progress.bad[at(node)] > 0 ? std::max(partners, least_to_blame) : partners;
  return progress.witness[at(node)] && progress.bad[at(node)] == 0 ? 0 : most;
}

bool lacks(const Progress& progress, int node, int partners) {
  return progress.decided[at(node)] < needed(progress, node, partners);
}

bool possible(const Progress& progress, const Meeting& meeting) {
  return !progress.out[at(meeting.first)] && !progress.out[at(meeting.second)] &&
         std::ranges::find(progress.met, meeting) == progress.met.end();
}

// Two witnesses that could show each other to be good, at no cost of time.
bool useful_beside(const Progress& progress, const Meeting& meeting) {
  return progress.decided[at(meeting.first)] < enough_for_a_witness ||
         progress.decided[at(meeting.second)] < enough_for_a_witness;
}

}  // namespace

void Progress::add(const Meeting& meeting, const std::vector<Observation>& seen) {
  const auto any = [&](Seen kind) { return std::ranges::find(seen, kind, &Observation::seen) != seen.end(); };
  met.push_back(meeting);
  // Where something is bad, that is an answer, however much else is not known.
  const bool is_bad = any(Seen::bad), is_decided = is_bad || (any(Seen::good) && !any(Seen::unknown));
  for (const int node : {meeting.first, meeting.second})
    decided[at(node)] += is_decided ? 1 : 0, bad[at(node)] += is_bad ? 1 : 0;
}

Progress nothing_met(const std::vector<bool>& witness) {
  return {.witness = witness,
          .out = std::vector<bool>(witness.size()),
          .met = {},
          .decided = std::vector<int>(witness.size()),
          .bad = std::vector<int>(witness.size())};
}

std::vector<Meeting> next_round(const Progress& progress, int partners) {
  std::vector<Meeting> best;
  int most = 0;
  // The circle's rounds hold every pair once; the one that serves most of those who lack partners is next.
  for (const auto& round : rdma::circle_rounds(static_cast<int>(progress.witness.size()))) {
    std::vector<Meeting> held;
    int served = 0;
    for (const auto& meeting : round) {
      if (!possible(progress, meeting)) continue;
      const int here = (lacks(progress, meeting.first, partners) ? 1 : 0) +
                       (lacks(progress, meeting.second, partners) ? 1 : 0);
      if (here == 0 && !useful_beside(progress, meeting)) continue;
      served += here;
      held.push_back(meeting);
    }
    if (served > most) most = served, best = std::move(held);
  }
  return best;
}

}  // namespace mlc::fleet
