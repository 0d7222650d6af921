#include "bench/fleet/localisation/pairs.hpp"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "bench/fleet/localisation/random.hpp"

namespace mlc::fleet {

namespace {

constexpr int repeats_of_two = 3;

std::size_t at(int position) { return static_cast<std::size_t>(position); }

std::vector<int> sorted_once(std::vector<int> list) {
  std::ranges::sort(list);
  list.erase(std::unique(list.begin(), list.end()), list.end());
  return list;
}

std::vector<char> marked(const std::vector<int>& list, int nodes) {
  std::vector<char> marks(at(nodes), 0);
  for (const int node : list)
    if (node >= 0 && node < nodes) marks[at(node)] = 1;
  return marks;
}

// The circle method: one seat stays, the others move on by one; with an odd count one rests.
std::vector<std::pair<int, int>> circle_round(int count, int round) {
  const int moving = count + count % 2 - 1;
  std::vector<std::pair<int, int>> seats;
  for (int seat = 0; seat <= moving / 2; ++seat) {
    const int a = seat == 0 ? moving : (round + seat) % moving, b = (round + moving - seat) % moving;
    if (a < count && b < count) seats.emplace_back(a, b);
  }
  return seats;
}

class Round {
 public:
  Round(const RoundQuestion& question, const Topology& topology, const Met& met);
  std::vector<PlannedTest> all_pairs();
  std::vector<PlannedTest> of_groups();

 private:
  void inside_groups();
  void between_groups();
  void anywhere();
  void repeat_paths();
  void cross_uplinks();
  void suspects(bool own_leaf);
  void match_unmet(std::vector<int> nodes);
  bool mend(int node, int other);
  void put(int one, int other, int base = -1);
  void give_uplinks();
  int partner_of(int node, bool own_leaf, const std::vector<int>& pool);
  bool cross(const OpenUplink& open, const std::vector<int>& pool, std::set<int>& far_leaves, bool new_far,
             bool clean_only);
  bool free(int node) const { return free_[at(node)] != 0; }
  // Shuffled, those who go first in front, without who is bad or has a test.
  std::vector<int> free_nodes();
  int group(int node) const { return topology_.group[at(node)]; }

  const RoundQuestion& question_;
  const Topology& topology_;
  const Met& met_;
  Random random_;
  std::vector<int> participants_, suspected_;
  std::vector<char> free_, bad_, suspect_, first_, doubtful_;
  std::vector<PlannedTest> tests_;
};

Round::Round(const RoundQuestion& question, const Topology& topology, const Met& met)
    : question_(question),
      topology_(topology),
      met_(met),
      random_(question.seed, static_cast<std::uint64_t>(question.round)),
      participants_(sorted_once(question.participants)),
      suspected_(sorted_once(question.suspects)),
      free_(marked(participants_, topology.nodes)),
      bad_(marked(question.bad, topology.nodes)),
      suspect_(marked(suspected_, topology.nodes)),
      first_(marked(question.first, topology.nodes)),
      doubtful_(marked(question.doubtful, topology.nodes)) {}

void Round::put(int one, int other, int base) {
  free_[at(one)] = free_[at(other)] = 0;
  tests_.push_back({.first = std::min(one, other), .second = std::max(one, other), .base = base, .step = 1});
}

std::vector<PlannedTest> Round::all_pairs() {
  // Seats are by seed, and stay the same in all rounds: so every two meet.
  auto seats = participants_;
  Random(question_.seed, 0).shuffle(seats);
  const int count = static_cast<int>(seats.size());
  const int rounds = count + count % 2 - 1;
  if (count >= 2)
    for (const auto& [a, b] : circle_round(count, (question_.round - 1) % rounds)) {
      const int one = seats[at(a)], other = seats[at(b)];
      const bool asked = question_.round <= rounds_until_all_met(topology_.nodes) || suspect_[at(one)] != 0 ||
                         suspect_[at(other)] != 0;
      if (asked && bad_[at(one)] == 0 && bad_[at(other)] == 0) put(one, other);
    }
  give_uplinks();
  return std::move(tests_);
}

std::vector<int> Round::free_nodes() {
  std::vector<int> nodes;
  for (const int node : participants_)
    if (free(node) && bad_[at(node)] == 0) nodes.push_back(node);
  random_.shuffle(nodes);
  std::ranges::stable_partition(nodes, [&](int node) { return first_[at(node)] != 0; });
  return nodes;
}

// Two that have met already take the partners of two others.
bool Round::mend(int node, int other) {
  for (auto& test : tests_) {
    const int a = test.first, b = test.second;
    for (const auto& [x, y] : {std::pair{a, b}, {b, a}})
      if (!met_.contains(node, x) && !met_.contains(other, y)) {
        test = {.first = std::min(node, x), .second = std::max(node, x), .base = -1, .step = 1};
        put(other, y);
        free_[at(node)] = 0;
        return true;
      }
  }
  return false;
}

void Round::match_unmet(std::vector<int> nodes) {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (!free(nodes[i])) continue;
    int met_one = -1;
    for (std::size_t j = i + 1; j < nodes.size() && free(nodes[i]); ++j) {
      if (!free(nodes[j])) continue;
      if (!met_.contains(nodes[i], nodes[j]))
        put(nodes[i], nodes[j]);
      else
        met_one = nodes[j];
    }
    if (free(nodes[i]) && met_one >= 0) mend(nodes[i], met_one);
  }
}

void Round::inside_groups() {
  std::vector<std::vector<int>> groups(at(topology_.groups + 1));  // the last: nobody knows
  for (const int node : free_nodes())
    groups[at(group(node) < 0 ? topology_.groups : group(node))].push_back(node);
  for (auto& nodes : groups)
    match_unmet(std::move(nodes));
}

// From the largest group left to the largest other one, and of those to the one that it has met least: so far
// ends of an uplink differ.
void Round::between_groups() {
  const int groups = topology_.groups;
  if (groups < 2) return;
  std::vector<std::vector<int>> left(at(groups));
  for (const int node : free_nodes())
    if (group(node) >= 0) left[at(group(node))].push_back(node);
  for (auto& nodes : left)
    std::ranges::reverse(nodes);  // who goes first is taken first, from the back
  std::vector<int> order(at(groups));
  std::iota(order.begin(), order.end(), 0);
  random_.shuffle(order);
  std::vector<int> meetings(at(groups) * at(groups), 0);
  for (;;) {
    int largest = -1, other = -1;
    for (const int each : order)
      if (largest < 0 || left[at(each)].size() > left[at(largest)].size()) largest = each;
    if (left[at(largest)].empty()) return;
    const auto rank = [&](int each) {
      return std::pair(left[at(each)].size(), -meetings[at(largest) * at(groups) + at(each)]);
    };
    for (const int each : order)
      if (each != largest && !left[at(each)].empty() && (other < 0 || rank(each) > rank(other))) other = each;
    if (other < 0) return;
    const int one = left[at(largest)].back(), two = left[at(other)].back();
    left[at(largest)].pop_back(), left[at(other)].pop_back();
    ++meetings[at(largest) * at(groups) + at(other)], ++meetings[at(other) * at(groups) + at(largest)];
    put(one, two);
  }
}

void Round::anywhere() { match_unmet(free_nodes()); }

void Round::repeat_paths() {
  for (const PathPlace& path : question_.paths)
    if (free(path.from) && free(path.to) && bad_[at(path.from)] == 0 && bad_[at(path.to)] == 0)
      put(path.from, path.to);
}

// One clean pair over it, queue pair 0 on it: `new_far`, with its other end in a leaf that is not in the
// list.
bool Round::cross(const OpenUplink& open, const std::vector<int>& pool, std::set<int>& far_leaves,
                  bool new_far, bool clean_only) {
  const int rail = topology_.leaves[at(open.leaf)].rail;
  const auto fit = [&](int node) {
    return free(node) && suspect_[at(node)] == 0 && (!clean_only || doubtful_[at(node)] == 0) &&
           topology_.leaf_of(node, rail) >= 0;
  };
  for (const int here : pool) {
    if (!fit(here) || topology_.leaf_of(here, rail) != open.leaf) continue;
    for (const int there : pool) {
      const int far = topology_.leaf_of(there, rail);
      if (!fit(there) || far == open.leaf || met_.contains(here, there) ||
          (new_far && far_leaves.contains(far)))
        continue;
      put(here, there, open.uplink);
      far_leaves.insert(far);
      return true;
    }
  }
  return false;
}

// Two clean pairs for each, with far ends that differ, for else the far leaf's uplink is as likely. Where a
// leaf is slow on another rail, none of its nodes is clean: its shares still tell one uplink from the others.
void Round::cross_uplinks() {
  constexpr int pairs_an_uplink = 2;
  const auto pool = free_nodes();
  auto uplinks = question_.uplinks;
  std::ranges::sort(uplinks);
  for (const OpenUplink& open : uplinks) {
    std::set<int> far_leaves;
    for (int pair = 0; pair < pairs_an_uplink; ++pair)
      for (const bool clean_only : {true, false})
        if (cross(open, pool, far_leaves, true, clean_only) ||
            cross(open, pool, far_leaves, false, clean_only))
          break;
  }
}

int Round::partner_of(int node, bool own_leaf, const std::vector<int>& pool) {
  // Clean and not met, in the leaf that is wanted; then anywhere; then doubtful ones; then whoever is there.
  constexpr int perfect = 16;
  int best = -1, best_rank = 0;
  for (const int other : pool) {
    if (other == node || !free(other)) continue;
    const bool grouped = group(node) >= 0 && group(other) >= 0;
    const bool own = grouped && group(node) == group(other);
    const int rank = 1 + (suspect_[at(other)] == 0 ? 8 : 0) + (met_.contains(node, other) ? 0 : 4) +
                     (doubtful_[at(other)] == 0 ? 2 : 0) + (!grouped || own == own_leaf ? 1 : 0);
    if (rank > best_rank) best = other, best_rank = rank;
    if (best_rank == perfect) break;
  }
  return best;
}

void Round::suspects(bool own_leaf) {
  auto order = suspected_;
  random_.shuffle(order);
  std::ranges::stable_partition(order, [&](int node) { return first_[at(node)] != 0; });
  const auto pool = free_nodes();
  for (const int node : order) {
    if (!free(node) || bad_[at(node)] != 0) continue;
    if (const int partner = partner_of(node, own_leaf, pool); partner >= 0) put(node, partner);
  }
}

std::vector<PlannedTest> Round::of_groups() {
  switch (question_.round) {
    case 1:
      inside_groups();
      anywhere();
      break;
    case 2:
      suspects(true);
      between_groups();
      anywhere();
      break;
    default:
      repeat_paths();
      suspects(question_.round % 2 == 0);
      cross_uplinks();
  }
  give_uplinks();
  return std::move(tests_);
}

// Evenly: of all places to begin, the one whose uplinks both leaves have used least. The step has no divisor
// in common with their number, so that four queue pairs are on four of them; it differs from test to test, so
// that no two uplinks are always seen together.
void Round::give_uplinks() {
  const int uplinks = topology_.uplinks;
  std::ranges::sort(tests_);
  if (uplinks <= 0) {
    for (auto& test : tests_)
      test.base = 0;
    return;
  }
  std::vector<int> steps;
  for (int step = 1; step < std::max(2, uplinks); step += 2)
    if (std::gcd(step, uplinks) == 1) steps.push_back(step);
  std::vector<int> used(at((topology_.groups + 1) * uplinks), 0);
  std::vector<int> order(at(uplinks));
  std::iota(order.begin(), order.end(), 0);
  for (auto& test : tests_) {
    test.step = steps[random_.below(steps.size())];
    const int one = group(test.first) < 0 ? topology_.groups : group(test.first);
    const int other = group(test.second) < 0 ? topology_.groups : group(test.second);
    int best = -1, least = 0;
    random_.shuffle(order);
    for (const int base : order) {
      PlannedTest trial = test;
      trial.base = base;
      int most = 0, sum = 0;
      for (int q = 0; q < queue_pairs; ++q) {
        const int uplink = uplink_of(trial, q, uplinks);
        const int here = used[at(one * uplinks + uplink)], there = used[at(other * uplinks + uplink)];
        most = std::max({most, here, there}), sum += here + there;
      }
      if (const int cost = most * 1000 + sum; best < 0 || cost < least) best = base, least = cost;
    }
    if (test.base < 0) test.base = best;
    if (one == other) continue;  // inside a leaf none is crossed
    for (int q = 0; q < queue_pairs; ++q)
      ++used[at(one * uplinks + uplink_of(test, q, uplinks))],
          ++used[at(other * uplinks + uplink_of(test, q, uplinks))];
  }
}

}  // namespace

int rounds_until_all_met(int nodes) { return nodes == 2 ? repeats_of_two : nodes + nodes % 2 - 1; }

int rounds_of(int nodes, int wanted) {
  // Only a third node would tell two apart.
  if (nodes == 2) return repeats_of_two;
  return nodes <= most_nodes_for_all_pairs ? std::max(rounds_until_all_met(nodes), wanted) : wanted;
}

std::vector<PlannedTest> pairs(const RoundQuestion& question, const Topology& topology, const Met& met) {
  Round round(question, topology, met);
  return topology.nodes <= most_nodes_for_all_pairs ? round.all_pairs() : round.of_groups();
}

}  // namespace mlc::fleet
