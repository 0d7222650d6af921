#include "bench/fleet/localisation/world.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "bench/fleet/localisation/likelihood.hpp"

namespace mlc::fleet {

namespace {

// A test of 1.5 s in windows of 25 ms; a round takes 2.7 s with what is around it.
constexpr double window_s = .025, round_s = 2.7;

std::size_t at(int position) { return static_cast<std::size_t>(position); }

// P(a healthy window is more than three deviations below the median).
constexpr double three_below = .00135;

double normal_below(double x) { return .5 * std::erfc(-x / std::sqrt(2.)); }

}  // namespace

World::World(const WorldKnobs& knobs, std::uint64_t seed)
    : knobs_(knobs),
      random_(seed, 0x0f1ee7),
      topology_(regular_topology(knobs.nodes, knobs.rails, knobs.leaf_size, knobs.uplinks)),
      components_(knobs.nodes, knobs.rails, static_cast<int>(topology_.leaves.size()), knobs.uplinks),
      fault_of_(components_.count(), -1),
      congested_(components_.count(), 0) {
  for (int i = 0; i < knobs.nodes * knobs.rails; ++i)
    spread_.push_back(static_cast<float>(1 + knobs.rail_spread * random_.normal()));
}

double World::severity(double least, double most) {
  return std::exp(random_.uniform(std::log(least), std::log(most)));
}

// The usual mix: 15 % whole nodes, 60 % one end of a rail (slow, dead, loss one way, the other, its
// port), 7.5 % leaves, 17.5 % uplinks; the last two are path_share of all.
Planted World::any_fault() {
  Planted fault;
  const int leaves = static_cast<int>(topology_.leaves.size());
  const bool of_path = random_.chance(knobs_.path_share) && leaves > 0;
  fault.severity = severity(knobs_.least, knobs_.most);
  if (of_path) {
    const int leaf = static_cast<int>(random_.below(at(leaves)));
    if (random_.chance(.3) || knobs_.uplinks == 0 || topology_.groups < 2) {
      fault.component = {.kind = Kind::leaf, .leaf = leaf};
    } else {
      fault.component = {.kind = random_.chance(.5) ? Kind::up : Kind::down,
                         .leaf = leaf,
                         .uplink = static_cast<int>(random_.below(at(knobs_.uplinks)))};
    }
  } else {
    const int node = static_cast<int>(random_.below(at(knobs_.nodes)));
    const int rail = static_cast<int>(random_.below(at(knobs_.rails)));
    if (random_.chance(.2)) {
      fault.component = {.kind = Kind::node, .node = node};
    } else {
      const std::size_t which = random_.below(5);
      const Kind kind = which == 2 ? Kind::tx : which == 3 ? Kind::rx : Kind::end;
      fault.component = {.kind = kind, .node = node, .rail = rail};
      if (which == 1) fault.severity = 1;
      if (kind != Kind::end) fault.severity = severity(knobs_.least_loss, knobs_.most_loss);
    }
    fault.counted = random_.chance(knobs_.counted);
  }
  if (random_.chance(knobs_.intermittent)) {
    fault.intermittent = true;
    fault.duty = random_.uniform(.1, .5);
    fault.period_s = severity(.1, 100);
    fault.phase = random_.uniform();
  }
  return fault;
}

void World::plant(const Planted& fault) {
  fault_of_[components_.id_of(fault.component)] = static_cast<std::int32_t>(planted_.size());
  planted_.push_back(fault);
}

void World::plant_faults() {
  const auto count = static_cast<std::size_t>(std::lround(knobs_.nodes * knobs_.faults));
  // One of a place, so that each can be found or missed.
  const auto same_place = [](const Component& a, const Component& b) {
    return a.of_host() ? a.node == b.node : a.leaf == b.leaf && a.uplink == b.uplink;
  };
  for (std::size_t tries = 0; planted_.size() < count && tries < 100 * count; ++tries) {
    const Planted fault = any_fault();
    if (std::ranges::none_of(
            planted_, [&](const Planted& other) { return same_place(fault.component, other.component); }))
      plant(fault);
  }
}

int World::windows_on(const Planted& fault, int round) const {
  if (!fault.intermittent) return windows_a_test;
  int on = 0;
  for (int window = 0; window < windows_a_test; ++window) {
    const double periods = (round * round_s + window * window_s) / fault.period_s + fault.phase;
    on += periods - std::floor(periods) < fault.duty ? 1 : 0;
  }
  return on;
}

// Of a test, given how many windows a fault was on. Most of them make the median, and none is slow beside it.
int World::windows_slow(int on, double severity) {
  int slow = 0;
  const bool shows = on > 0 && on <= windows_a_test / 2;
  const double chance = shows ? normal_below(severity / knobs_.noise - 3) : 0;
  for (int window = 0; window < windows_a_test; ++window)
    slow += random_.chance(shows && window < on ? chance : three_below) ? 1 : 0;
  return slow;
}

int World::uplink_taken(const PlannedTest& test, int from, int to, int queue_pair) const {
  if (!knobs_.hashed) return uplink_of(test, queue_pair, knobs_.uplinks);
  const auto pair = static_cast<std::uint64_t>(from) << 32 | static_cast<std::uint64_t>(to);
  return static_cast<int>(Random(pair, static_cast<std::uint64_t>(queue_pair)).below(at(knobs_.uplinks)));
}

// A queue pair has what its uplink leaves it; the others fill the line.
void World::give_shares(FlowResult& flow, const PlannedTest& test, int from, int to, int rail) {
  const int leaf = topology_.leaf_of(from, rail), far = topology_.leaf_of(to, rail);
  std::array<double, queue_pairs> limit;
  limit.fill(1e9);
  if (knobs_.uplinks > 0 && leaf != far)
    for (int q = 0; q < queue_pairs; ++q) {
      const int uplink = uplink_taken(test, from, to, q);
      for (const ComponentId id : {components_.up(leaf, uplink), components_.down(far, uplink)}) {
        if (congested_[id] > 0) limit[at(q)] = std::min(limit[at(q)], 1. - congested_[id]);
        if (fault_of_[id] < 0) continue;
        const Planted& fault = planted_[at(fault_of_[id])];
        const double on = fault.intermittent ? random_.uniform(.5, 1.5) * fault.duty : 1;
        limit[at(q)] = std::min(limit[at(q)], 1 - fault.severity * std::min(on, 1.));
      }
    }
  double left = flow.rate * queue_pairs;
  std::array<int, queue_pairs> order{0, 1, 2, 3};
  std::ranges::sort(order, {}, [&](int q) { return limit[at(q)]; });
  double total = 0;
  for (int i = 0; i < queue_pairs; ++i) {
    const auto q = at(order[at(i)]);
    const double share = std::min(limit[q], left / (queue_pairs - i));
    left -= share, total += share;
    // A quarter of the line has twice its noise.
    flow.shares[q] =
        std::max(0., share * (1 + 2 * knobs_.noise / std::sqrt(1. * windows_a_test) * random_.normal()));
  }
  flow.rate = total / queue_pairs;
}

FlowResult World::flow(int round, const PlannedTest& test, int rail, bool back, double glitch) {
  const int from = back ? test.second : test.first, to = back ? test.first : test.second;
  const int leaf = topology_.leaf_of(from, rail), far = topology_.leaf_of(to, rail);
  double always = 1 - glitch, sometimes = 1;
  int on_windows = 0;
  bool dead = false;
  FlowResult seen;
  for (const ComponentId id : {components_.node(from), components_.node(to), components_.end(from, rail),
                               components_.end(to, rail), components_.tx(from, rail),
                               components_.rx(to, rail), components_.leaf(leaf), components_.leaf(far)}) {
    if (fault_of_[id] < 0) continue;
    const Planted& fault = planted_[at(fault_of_[id])];
    if (round < fault.from_round) continue;
    const int on = windows_on(fault, round);
    if (on == windows_a_test) {
      always = std::min(always, 1 - fault.severity), dead |= fault.severity >= 1;
    } else if (on > 0) {
      sometimes = std::min(sometimes, 1 - fault.severity), on_windows = std::max(on_windows, on);
    }
    if (on > 0 && fault.counted && fault.component.of_host())
      (fault.component.node == from ? seen.at_sender : seen.at_receiver).port = true;
  }
  seen.at_sender.port |= random_.chance(knobs_.miscounted / 2);
  seen.at_receiver.port |= random_.chance(knobs_.miscounted / 2);
  seen.dead = dead;
  if (dead) return seen;
  if (random_.chance(knobs_.glitch_flow)) always = std::min(always, 1 - severity(knobs_.least, knobs_.most));
  const double with = std::min(always, sometimes), share = on_windows / (1. * windows_a_test);
  const double spread =
      std::min(spread_[at(from * knobs_.rails + rail)], spread_[at(to * knobs_.rails + rail)]);
  const double deviation = knobs_.noise / std::sqrt(1. * windows_a_test);
  seen.rate = std::max(0., spread * (always * (1 - share) + with * share));
  give_shares(seen, test, from, to, rail);
  seen.rate = std::max(0., seen.rate * (1 + deviation * random_.normal()));
  // Of 60 windows a standard deviation is known to a twelfth.
  seen.error = deviation * std::max(.5, 1 + random_.normal() / 11);
  seen.slow_windows = windows_slow(on_windows, always > 0 ? 1 - with / always : 0);
  return seen;
}

TestResult World::measure(std::uint64_t campaign, int round, const PlannedTest& test, double glitch) {
  TestResult result{
      .campaign = campaign, .round = round, .first = test.first, .second = test.second, .flows = {}};
  result.flows.reserve(at(2 * knobs_.rails));
  for (int rail = 0; rail < knobs_.rails; ++rail)
    for (const bool back : {false, true})
      result.flows.push_back(flow(round, test, rail, back, glitch));
  return result;
}

void World::congest() {
  for (const ComponentId id : congested_ones_)
    congested_[id] = 0;
  congested_ones_.clear();
  const int leaves = static_cast<int>(topology_.leaves.size());
  for (int leaf = 0; leaf < leaves; ++leaf)
    for (int uplink = 0; uplink < knobs_.uplinks; ++uplink)
      for (const ComponentId id : {components_.up(leaf, uplink), components_.down(leaf, uplink)})
        if (random_.chance(knobs_.congested))
          congested_[id] = static_cast<float>(severity(knobs_.least, knobs_.most)),
          congested_ones_.push_back(id);
}

std::vector<TestResult> World::measure(std::uint64_t campaign, int round,
                                       const std::vector<PlannedTest>& tests) {
  congest();
  std::vector<TestResult> results;
  results.reserve(tests.size());
  for (const auto& test : tests) {
    const double glitch = random_.chance(knobs_.glitch_test) ? severity(knobs_.least, knobs_.most) : 0;
    TestResult result = measure(campaign, round, test, glitch);
    if (!random_.chance(knobs_.lost_results)) results.push_back(std::move(result));
  }
  return results;
}

}  // namespace mlc::fleet
