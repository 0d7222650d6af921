#include "bench/fleet/localisation/pairs.hpp"

#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <set>

#include "bench/fleet/localisation/random.hpp"
#include "tests/unit/fleet/worlds.hpp"

namespace mlc::fleet {

namespace {

std::vector<int> first_nodes(int count) {
  std::vector<int> nodes(static_cast<std::size_t>(count));
  std::iota(nodes.begin(), nodes.end(), 0);
  return nodes;
}

void expect_disjoint(const std::vector<PlannedTest>& tests, int nodes) {
  std::set<int> seen;
  for (const auto& test : tests) {
    EXPECT_LT(test.first, test.second);
    EXPECT_GE(test.first, 0);
    EXPECT_LT(test.second, nodes);
    EXPECT_TRUE(seen.insert(test.first).second) << test.first << " is booked twice";
    EXPECT_TRUE(seen.insert(test.second).second) << test.second << " is booked twice";
  }
}

// Numbers of Steele, Lea and Flood's reference implementation (seed 1234567).
TEST(Random, IsSplitMix64) {
  Random random(1234567);
  EXPECT_EQ(random.next(), 6457827717110365317ull);
  EXPECT_EQ(random.next(), 3203168211198807973ull);
  EXPECT_EQ(random.next(), 9817491932198370423ull);
}

class Sizes : public ::testing::TestWithParam<int> {};

// Acceptance 7, with all that a campaign does of itself.
TEST_P(Sizes, TwoPartnersEachBeforeCleanAndNobodyBookedTwice) {
  const int nodes = GetParam();
  World world(calm(nodes), 11);
  Campaign campaign({.seed = 11, .id = 1, .rules = {}, .watched = {}}, world.topology());
  std::map<int, std::set<int>> partners;
  while (!campaign.ended()) {
    expect_disjoint(campaign.planned(), nodes);
    for (const auto& test : campaign.planned())
      partners[test.first].insert(test.second), partners[test.second].insert(test.first);
    campaign.observe(world.measure(1, campaign.round(), campaign.planned()));
  }
  for (int node = 0; node < nodes; ++node) {
    EXPECT_EQ(campaign.judgement().nodes[static_cast<std::size_t>(node)], Standing::clean) << node;
    EXPECT_GE(partners[node].size(), nodes == 2 ? 1u : 2u) << node;
  }
  if (nodes > 8) {
    EXPECT_LE(campaign.round(), nodes % 2 == 0 ? 2 : 3);
  }
}

TEST_P(Sizes, TheListIsTheSameOnEveryAgent) {
  const int nodes = GetParam();
  const Topology topology = regular_topology(nodes, 4, 32, 16);
  Random random(5);
  Met met;
  for (int round = 1; round <= 4; ++round) {
    RoundQuestion question{.seed = 9, .round = round, .participants = first_nodes(nodes)};
    if (round > 1)
      question.suspects = {0, nodes / 2, nodes - 1}, question.doubtful = {1}, question.first = {nodes / 3};
    if (round > 2) question.bad = {nodes - 1};
    if (round > 1 && nodes > 32) question.uplinks = {{0, 3}, {4, 7}};
    const auto one = pairs(question, topology, met);
    for (auto* list : {&question.participants, &question.suspects, &question.doubtful}) {
      random.shuffle(*list);
      if (!list->empty()) list->push_back(list->front());
    }
    random.shuffle(question.uplinks);
    EXPECT_EQ(one, pairs(question, topology, met)) << round;
    expect_disjoint(one, nodes);
    for (const auto& test : one) {
      met.add(test.first, test.second);
      if (round > 2) {
        EXPECT_NE(test.second, nodes - 1) << "a faulty one is nobody's partner";
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Acceptance7, Sizes,
                         ::testing::Values(2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 63, 64, 65,
                                           1000));

TEST(Pairs, UpToEightNodesAllMeetAndTwoMeetThrice) {
  for (int nodes = 2; nodes <= 8; ++nodes) {
    std::map<std::pair<int, int>, int> met;
    const Topology topology = unknown_topology(nodes, 4);
    for (int round = 1; round <= rounds_until_all_met(nodes); ++round)
      for (const auto& test :
           pairs({.seed = 3, .round = round, .participants = first_nodes(nodes)}, topology, {}))
        ++met[{test.first, test.second}];
    EXPECT_EQ(met.size(), static_cast<std::size_t>(nodes * (nodes - 1) / 2));
    for (const auto& [pair, times] : met)
      EXPECT_EQ(times, nodes == 2 ? 3 : 1);
  }
}

TEST(Pairs, OneRoundInsideLeavesAndOneBetweenThem) {
  const Topology topology = regular_topology(256, 4, 32, 16);
  Met met;
  for (int round = 1; round <= 2; ++round) {
    const auto tests = pairs({.seed = 4, .round = round, .participants = first_nodes(256)}, topology, met);
    EXPECT_EQ(tests.size(), 128u);
    for (const auto& test : tests) {
      EXPECT_EQ(topology.same_leaf(test.first, test.second, 0), round == 1);
      met.add(test.first, test.second);
    }
  }
}

// 32 nodes with four queue pairs over 16 uplinks: eight flows each way, to several other leaves.
TEST(Pairs, UplinksAreUsedEvenlyAndWithDifferentFarEnds) {
  const Topology topology = regular_topology(1024, 4, 32, 16);
  std::map<std::pair<int, int>, int> flows;
  std::map<std::pair<int, int>, std::set<int>> far_ends;
  for (const auto& test : pairs({.seed = 6, .round = 2, .participants = first_nodes(1024)}, topology, {}))
    for (int q = 0; q < queue_pairs; ++q) {
      const int uplink = uplink_of(test, q, 16), one = topology.group[static_cast<std::size_t>(test.first)],
                other = topology.group[static_cast<std::size_t>(test.second)];
      ++flows[{one, uplink}], ++flows[{other, uplink}];
      far_ends[{one, uplink}].insert(other), far_ends[{other, uplink}].insert(one);
    }
  EXPECT_EQ(flows.size(), 32u * 16);
  for (const auto& [uplink, count] : flows) {
    EXPECT_GE(count, 6);
    EXPECT_LE(count, 10);
    EXPECT_GE(far_ends[uplink].size(), 4u);
  }
}

TEST(Pairs, ASuspectMeetsACleanOneOfItsOwnLeafInRoundTwo) {
  const Topology topology = regular_topology(128, 4, 32, 16);
  Met met;
  met.add(40, 41);
  bool seen = false;
  for (const auto& test : pairs(
           {.seed = 2, .round = 2, .participants = first_nodes(128), .suspects = {40, 41}}, topology, met)) {
    if (test.first != 40 && test.second != 40) continue;
    const int other = test.first == 40 ? test.second : test.first;
    EXPECT_NE(other, 41);
    EXPECT_TRUE(topology.same_leaf(40, other, 0));
    seen = true;
  }
  EXPECT_TRUE(seen);
}

TEST(Pairs, AnOpenUplinkIsCrossedByTwoCleanPairsWithItsFirstQueuePair) {
  const Topology topology = regular_topology(128, 4, 32, 16);
  const int leaf = topology.leaf_of(70, 2);
  const auto tests =
      pairs({.seed = 2, .round = 3, .participants = first_nodes(128), .uplinks = {{leaf, 11}}}, topology, {});
  ASSERT_EQ(tests.size(), 2u);
  std::set<int> far;
  for (const auto& test : tests) {
    EXPECT_EQ(uplink_of(test, 0, 16), 11);
    const bool first_here = topology.leaf_of(test.first, 2) == leaf;
    EXPECT_NE(first_here, topology.leaf_of(test.second, 2) == leaf);
    far.insert(topology.leaf_of(first_here ? test.second : test.first, 2));
  }
  EXPECT_EQ(far.size(), 2u);
}

TEST(Pairs, WhoRestedGoesFirst) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto tests = pairs({.seed = seed, .round = 2, .participants = first_nodes(63), .first = {62}},
                             regular_topology(63, 4, 32, 16), {});
    EXPECT_EQ(tests.size(), 31u);
    EXPECT_TRUE(std::ranges::any_of(tests, [](const auto& test) { return test.second == 62; })) << seed;
  }
}

}  // namespace

}  // namespace mlc::fleet
