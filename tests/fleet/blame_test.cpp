#include "bench/fleet/blame.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "tests/fleet/world.hpp"

namespace mlc::fleet {
namespace {

using test::Planted;
using test::tell;
using test::World;
using testing::HasSubstr;
using Kind = Planted::Kind;

constexpr Kind end_kinds[] = {Kind::slow, Kind::dead, Kind::sending, Kind::receiving, Kind::host};

std::set<int> accused(const Outcome& outcome) {
  std::set<int> nodes;
  for (std::size_t i = 0; i < outcome.nodes.size(); ++i)
    if (outcome.nodes[i].status == Status::fail) nodes.insert(static_cast<int>(i));
  for (const auto& fault : outcome.faults)
    EXPECT_TRUE(nodes.contains(fault.node));
  return nodes;
}

std::vector<Observation> all_pairs(const World& world) {
  std::vector<Observation> seen;
  for (int a = 0; a < world.nodes; ++a)
    for (int b = a + 1; b < world.nodes; ++b)
      for (const auto& one : world.meet({a, b}))
        seen.push_back(one);
  return seen;
}

std::vector<std::vector<bool>> witnesses_of(int nodes) {
  std::vector<std::vector<bool>> all;
  for (unsigned known = 0; known<1u << nodes; known += nodes> 6 ? 7 : 1) {
    std::vector<bool> witness;
    for (int i = 0; i < nodes; ++i)
      witness.push_back((known >> i & 1) != 0);
    all.push_back(std::move(witness));
  }
  return all;
}

TEST(Blame, AHealthyGroupPasses) {
  for (int nodes = 2; nodes <= 8; ++nodes) {
    const World world{nodes, 4, {}};
    const int partners = std::min(3, nodes - 1);
    const auto outcome =
        place_blame(world.names(), tell(world, std::vector<bool>(nodes), partners).seen, {partners, 4});
    for (const auto& node : outcome.nodes)
      EXPECT_EQ(node.status, Status::pass) << nodes << ": " << testing::PrintToString(node.why);
    EXPECT_TRUE(outcome.faults.empty());
    EXPECT_TRUE(outcome.fabric.empty());
  }
}

TEST(Blame, OneFaultIsFoundWhateverItIsAndWhoeverKnewWhom) {
  for (int nodes = 4; nodes <= 8; ++nodes)
    for (const auto& witness : witnesses_of(nodes))
      for (const Kind kind : end_kinds)
        for (int node = 0; node < nodes; ++node) {
          const World world{nodes, 2, {{kind, node, 1}}};
          const auto story = tell(world, witness, 3);
          const auto outcome = place_blame(world.names(), story.seen, {3, 2});
          const bool all_known = std::ranges::all_of(witness, [](bool known) { return known; });
          const auto named = accused(outcome);
          // A witness is at fault here and meets too few to be blamed, or is: nobody else ever is.
          EXPECT_TRUE(named.empty() || named == std::set<int>{node});
          for (int i = 0; i < nodes && !all_known; ++i)
            if (!witness[static_cast<std::size_t>(i)]) {
              EXPECT_EQ(outcome.nodes[static_cast<std::size_t>(i)].status,
                        i == node ? Status::fail : Status::pass)
                  << nodes << " nodes, fault " << static_cast<int>(kind) << " of " << node << ", node " << i
                  << ": " << testing::PrintToString(outcome.nodes[static_cast<std::size_t>(i)].why);
            }
        }
}

TEST(Blame, SaysTheRailTheWayAndWhatWasSeen) {
  const World world{4, 4, {{Kind::sending, 2, 3}}};
  const auto outcome = place_blame(world.names(), all_pairs(world), {3, 4});
  ASSERT_EQ(outcome.faults.size(), 1u);
  const Fault& fault = outcome.faults.front();
  EXPECT_EQ(fault.node, 2);
  EXPECT_EQ(fault.rail, 3);
  EXPECT_EQ(fault.way, Way::sending);
  EXPECT_EQ(end_text(fault), "rail 3, sending");
  EXPECT_THAT(fault.evidence, testing::ElementsAre("to gpu-0: 80 of 200 Gbit/s", "to gpu-1: 80 of 200 Gbit/s",
                                                   "to gpu-3: 80 of 200 Gbit/s"));
  const World host{4, 4, {{Kind::host, 1, 0}}};
  const auto whole = place_blame(host.names(), all_pairs(host), {3, 4});
  ASSERT_EQ(whole.faults.size(), 1u);
  EXPECT_EQ(end_text(whole.faults.front()), "the node as a whole");
}

TEST(Blame, TwoOrThreeNodesCannotTell) {
  for (int nodes = 2; nodes <= 3; ++nodes)
    for (const Kind kind : end_kinds) {
      const World world{nodes, 2, {{kind, 0, 1}}};
      const auto outcome = place_blame(world.names(), all_pairs(world), {nodes - 1, 2});
      EXPECT_TRUE(accused(outcome).empty());
      EXPECT_EQ(outcome.nodes[0].status, Status::unknown);
      EXPECT_EQ(outcome.nodes[1].status, Status::unknown);
      EXPECT_THAT(outcome.nodes[0].why.front(), HasSubstr("80 of 200 Gbit/s"));
    }
}

TEST(Blame, ARailThatIsBadForAllIsNobodys) {
  for (int nodes = 3; nodes <= 8; ++nodes) {
    const World world{nodes, 4, {{Kind::leaf, 0, 2}}};
    const auto outcome =
        place_blame(world.names(), tell(world, std::vector<bool>(nodes), std::min(3, nodes - 1)).seen,
                    {std::min(3, nodes - 1), 4});
    EXPECT_TRUE(accused(outcome).empty());
    for (const auto& node : outcome.nodes)
      EXPECT_EQ(node.status, Status::unknown);
    EXPECT_THAT(outcome.fabric, testing::ElementsAre(HasSubstr("over rail 2 are bad")));
  }
}

TEST(Blame, TwoFaultsAtOnceAccuseNobodyHealthyAndPassNobodyFaulty) {
  int found = 0, all = 0;
  for (int nodes = 4; nodes <= 8; ++nodes)
    for (const Kind one : end_kinds)
      for (const Kind two : {Kind::slow, Kind::sending, Kind::receiving, Kind::host, Kind::leaf})
        for (int a = 0; a < nodes; ++a)
          for (int b = 0; b < nodes; ++b)
            for (int rail = 0; rail < 2; ++rail) {
              const World world{nodes, 2, {{one, a, 0}, {two, b, rail}}};
              const auto faulty = world.faulty();
              for (const bool pairs : {true, false}) {
                const auto outcome = place_blame(
                    world.names(), pairs ? all_pairs(world) : tell(world, std::vector<bool>(nodes), 3).seen,
                    {3, 2});
                for (int i = 0; i < nodes; ++i) {
                  const Status status = outcome.nodes[static_cast<std::size_t>(i)].status;
                  EXPECT_NE(status, faulty.contains(i) ? Status::pass : Status::fail)
                      << nodes << " nodes, " << static_cast<int>(one) << " of " << a << ", "
                      << static_cast<int>(two) << " of " << b << " rail " << rail << ", node " << i;
                  if (faulty.contains(i)) ++all, found += status == Status::fail ? 1 : 0;
                }
              }
            }
  EXPECT_GT(found, all / 2) << "of " << all;
}

// Two halves of the nodes, and what is between them is bad: no end is at fault.
TEST(Blame, APathBetweenHalvesIsNobodysEnd) {
  for (int nodes = 4; nodes <= 8; nodes += 2) {
    World world{nodes, 1, {}};
    std::vector<Observation> seen = all_pairs(world);
    for (auto& one : seen)
      if (one.rail == 0 && (one.from < nodes / 2) != (one.to < nodes / 2)) one.seen = Seen::bad;
    const auto outcome = place_blame(world.names(), seen, {3, 1});
    EXPECT_TRUE(accused(outcome).empty()) << nodes;
    for (const auto& node : outcome.nodes)
      EXPECT_EQ(node.status, Status::unknown);
  }
}

TEST(Blame, OneBadPairAmongGoodOnesIsTold) {
  World world{4, 1, {}};
  auto seen = all_pairs(world);
  for (auto& one : seen)
    if (one.rail == 0 && one.from + one.to == 1) one.seen = Seen::bad;  // 0 and 1
  const auto outcome = place_blame(world.names(), seen, {3, 1});
  EXPECT_TRUE(accused(outcome).empty());
  EXPECT_EQ(outcome.nodes[0].status, Status::unknown);
  EXPECT_EQ(outcome.nodes[1].status, Status::unknown);
  EXPECT_EQ(outcome.nodes[2].status, Status::pass);
  EXPECT_EQ(outcome.nodes[3].status, Status::pass);
}

TEST(Blame, ANodeThatIsBadWithMostIsAtFault) {
  World world{5, 1, {}};
  auto seen = all_pairs(world);
  for (auto& one : seen)
    if (one.rail == 0 && std::min(one.from, one.to) == 0 && std::max(one.from, one.to) < 4)
      one.seen = Seen::bad;
  const auto outcome = place_blame(world.names(), seen, {3, 1});
  EXPECT_EQ(accused(outcome), std::set<int>{0});
  EXPECT_TRUE(outcome.faults.front().sometimes);
  EXPECT_THAT(end_text(outcome.faults.front()), HasSubstr("most others"));
}

TEST(Blame, WhatWasNotMeasuredIsNoPassAndNoFault) {
  const World world{4, 2, {}};
  for (const auto& lost : {std::set{3}, std::set{2, 3}}) {
    const auto outcome = place_blame(world.names(), tell(world, std::vector<bool>(4), 3, lost).seen, {3, 2});
    EXPECT_TRUE(accused(outcome).empty());
    for (const auto& node : outcome.nodes)
      EXPECT_EQ(node.status, Status::unknown) << "there were too few others";
    EXPECT_THAT(outcome.nodes[0].why.front(), HasSubstr("no answer"));
  }
  const World six{6, 2, {}};
  const auto outcome = place_blame(six.names(), tell(six, std::vector<bool>(6), 3, {5}).seen, {3, 2});
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(outcome.nodes[static_cast<std::size_t>(i)].status, Status::pass);
  EXPECT_EQ(outcome.nodes[5].status, Status::unknown);
  for (const auto& node : place_blame({"a", "b"}, {}, {1, 0}).nodes)
    EXPECT_EQ(node.status, Status::unknown);
}

TEST(Blame, ARailThatNobodyMeasuredIsMissing) {
  const World world{4, 3, {}};
  for (const auto& node : place_blame(world.names(), all_pairs(world), {3, 4}).nodes) {
    EXPECT_EQ(node.status, Status::unknown);
    EXPECT_THAT(node.why.front(), HasSubstr("over rail 3"));
  }
  auto seen = all_pairs(world);
  std::erase_if(seen, [](const Observation& one) { return one.rail == 1 && (one.from == 2 || one.to == 2); });
  const auto outcome = place_blame(world.names(), seen, {2, 0});
  EXPECT_EQ(outcome.nodes[2].status, Status::unknown) << "others have a rail 1, and it has none";
  EXPECT_EQ(outcome.nodes[0].status, Status::pass);
}

TEST(Blame, OneWayAloneIsHalfAMeeting) {
  const World world{4, 1, {}};
  auto seen = all_pairs(world);
  std::erase_if(seen, [](const Observation& one) { return one.rail == 0 && one.from == 1; });
  EXPECT_EQ(place_blame(world.names(), seen, {3, 1}).nodes[1].status, Status::unknown);
}

// Whatever comes: rates that are none, nodes and rails that are not there, observations that are missing,
// doubled or contradict each other. Nobody healthy is accused, and nobody whose meetings were all spoilt
// passes.
TEST(Blame, JunkAccusesNobody) {
  std::mt19937 random(7);
  const double rates[] = {std::nan(""), -1, 0, INFINITY, -INFINITY};
  for (int run = 0; run < 3000; ++run) {
    const int nodes = 2 + static_cast<int>(random() % 7);
    World world{nodes, 2, {}};
    if (random() % 2)
      world.faults.push_back({end_kinds[random() % 5], static_cast<int>(random()) % nodes, 0});
    for (auto& fault : world.faults)
      fault.node = std::abs(fault.node);
    auto seen = all_pairs(world);
    for (auto& one : seen)
      switch (random() % 12) {
        case 0:
          one.share = rates[random() % 5];
          break;
        case 1:
          one.seen = Seen::unknown;
          break;
        case 2:
          one.from = static_cast<int>(random() % 2000) + nodes;
          break;
        case 3:
          one.to = one.from;
          break;
        case 4:
          one.rail = -7;
          break;
        default:
          break;
      }
    std::ranges::shuffle(seen, random);
    seen.resize(seen.size() - random() % (seen.size() / 3 + 1));
    const auto outcome = place_blame(world.names(), seen, {3, 2});
    for (const int node : accused(outcome))
      EXPECT_TRUE(world.faulty().contains(node)) << "run " << run;
  }
  World world{4, 1, {}};
  auto seen = all_pairs(world);
  for (auto& one : seen)
    if (one.from == 1 && one.rail == 0) one.share = std::nan("");
  EXPECT_EQ(place_blame(world.names(), seen, {3, 1}).nodes[1].status, Status::unknown);
}

}  // namespace
}  // namespace mlc::fleet
