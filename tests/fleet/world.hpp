// A made-up group of nodes with planted faults, and what its meetings show.
#pragma once

#include <functional>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "bench/fleet/blame.hpp"
#include "bench/fleet/schedule.hpp"

namespace mlc::fleet::test {

struct Planted {
  enum class Kind { slow, dead, sending, receiving, host, leaf } kind = Kind::slow;
  int node = 0, rail = 0;
};

struct World {
  int nodes = 4, rails = 2;
  std::vector<Planted> faults;

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (int i = 0; i < nodes; ++i)
      all.push_back("gpu-" + std::to_string(i));
    return all;
  }

  bool is_bad(int from, int to, int rail) const {
    for (const auto& fault : faults) {
      using Kind = Planted::Kind;
      const bool sends = fault.node == from, receives = fault.node == to, here = fault.rail == rail;
      switch (fault.kind) {
        case Kind::slow:
        case Kind::dead:
          if (here && (sends || receives)) return true;
          break;
        case Kind::sending:
          if (here && sends) return true;
          break;
        case Kind::receiving:
          if (here && receives) return true;
          break;
        case Kind::host:
          if (sends || receives) return true;
          break;
        case Kind::leaf:
          if (here) return true;
      }
    }
    return false;
  }

  std::vector<Observation> meet(const Meeting& meeting) const {
    std::vector<Observation> seen{
        {.from = meeting.first, .to = meeting.second, .seen = Seen::good, .share = {}, .what = {}}};
    for (int rail = 0; rail < rails; ++rail)
      for (const auto& [from, to] :
           {std::pair{meeting.first, meeting.second}, std::pair{meeting.second, meeting.first}}) {
        const bool bad = is_bad(from, to, rail);
        seen.push_back({.from = from,
                        .to = to,
                        .rail = rail,
                        .peer_rail = rail,
                        .seen = bad ? Seen::bad : Seen::good,
                        .share = bad ? 0.4 : 0.97,
                        .what = bad ? "80 of 200 Gbit/s" : "194 of 200 Gbit/s"});
      }
    return seen;
  }

  std::set<int> faulty() const {
    std::set<int> all;
    for (const auto& fault : faults)
      if (fault.kind != Planted::Kind::leaf) all.insert(fault.node);
    return all;
  }
};

struct Story {
  std::vector<Observation> seen;
  std::vector<std::vector<Meeting>> rounds;
  Progress progress;
};

// Round by round, as a fabric stage does it. `lost`: nodes that answer nothing.
inline Story tell(const World& world, const std::vector<bool>& witness, int partners,
                  const std::set<int>& lost = {}) {
  Story story{{}, {}, nothing_met(witness)};
  for (;;) {
    const auto round = next_round(story.progress, partners);
    if (round.empty()) return story;
    for (const auto& meeting : round) {
      const bool held = !lost.contains(meeting.first) && !lost.contains(meeting.second);
      const auto seen =
          held ? world.meet(meeting) : std::vector{not_measured(meeting.first, meeting.second, "no answer")};
      story.progress.add(meeting, seen);
      story.seen.insert(story.seen.end(), seen.begin(), seen.end());
    }
    for (const int node : lost)
      story.progress.out[static_cast<std::size_t>(node)] = true;
    story.rounds.push_back(round);
  }
}

}  // namespace mlc::fleet::test
