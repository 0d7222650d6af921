// What is said of planted faults: acceptance 2 to 6 of docs/fleet.md, and the guards one by one.
#include "bench/fleet/localisation/judgement.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "bench/fleet/localisation/findings.hpp"
#include "tests/unit/fleet/worlds.hpp"

namespace mlc::fleet {

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TestResult healthy_test(int round, const PlannedTest& plan) {
  TestResult result{.campaign = 1, .round = round, .first = plan.first, .second = plan.second, .flows = {}};
  FlowResult flow;
  flow.rate = 1, flow.error = .004, flow.shares.fill(1);
  result.flows.assign(8, flow);
  return result;
}

// A campaign of 64 nodes in which all of node 7's flows are bad in these rounds; they still differ a little.
Judgement bad_in_rounds(const std::set<int>& rounds, double rate = .7) {
  Campaign campaign({.seed = 1, .id = 1, .rules = {}, .watched = {}}, regular_topology(64, 4, 32, 16));
  while (!campaign.ended()) {
    std::vector<TestResult> results;
    for (const auto& plan : campaign.planned()) {
      results.push_back(healthy_test(campaign.round(), plan));
      if ((plan.first == 7 || plan.second == 7) && rounds.contains(campaign.round()))
        for (auto& flow : results.back().flows)
          flow.rate = rate;
    }
    campaign.observe(results);
  }
  return campaign.judgement();
}

TEST(Acceptance2, OneBadRoundAccusesNobodyAndSeveralDo) {
  for (const int round : {1, 2}) {
    const Judgement once = bad_in_rounds({round});
    EXPECT_THAT(accused(once), IsEmpty()) << round;
    EXPECT_NE(once.nodes[7], Standing::clean) << round;
  }
  const Judgement often = bad_in_rounds({1, 2, 3, 4, 5});
  EXPECT_THAT(accused(often), ElementsAre(Component{.kind = Kind::node, .node = 7}));
  EXPECT_EQ(count_of(often, Standing::faulty), 1u);
}

TEST(Acceptance2, BrokeMeanwhileIsAccusedAllTheSame) {
  auto dies = fault_at({.kind = Kind::end, .node = 7, .rail = 2}, 1);
  dies.from_round = 2;
  int named = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Judgement judgement = campaign_with(calm(256), {dies}, seed).judgement();
    named += accused(judgement) == std::vector<Component>{dies.component} ? 1 : 0;
    EXPECT_LE(accusations(judgement).size(), 1u) << seed;
  }
  EXPECT_GE(named, 19);
}

class OneWay : public ::testing::TestWithParam<int> {};

TEST_P(OneWay, LossNamesTheDirectionAndNeverThePartner) {
  const int nodes = GetParam();
  for (const Kind kind : {Kind::tx, Kind::rx})
    for (const double severity : {.06, .1, .4, .9})
      for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        const Component at{.kind = kind, .node = 5, .rail = 1};
        const Judgement judgement = campaign_with(calm(nodes), {fault_at(at, severity)}, seed).judgement();
        EXPECT_THAT(accused(judgement), ElementsAre(at)) << nodes << " " << severity << " " << seed;
      }
}
INSTANTIATE_TEST_SUITE_P(Acceptance3, OneWay, ::testing::Values(8, 17, 64, 256));

// Node i becomes node (i + 29) mod 64, with the same tests: what is said is said of the other names.
TEST(Acceptance3, RenamingNodesRenamesTheAnswer) {
  WorldKnobs knobs = calm(64);
  World world(knobs, 8);
  world.plant(fault_at({.kind = Kind::rx, .node = 9, .rail = 1}, .2));
  world.plant(fault_at({.kind = Kind::node, .node = 50}, .1));
  Campaign campaign({.seed = 8, .id = 1, .rules = {}, .watched = {}}, world.topology());
  const auto renamed = [](int node) { return (node + 29) % 64; };
  Topology topology = world.topology();
  for (int node = 0; node < 64; ++node)
    for (int rail = 0; rail < 4; ++rail)
      topology.leaf[topology.place(renamed(node), rail)] = world.topology().leaf_of(node, rail);
  group_by_leaves(topology);
  Gathered gathered{
      .tests = {}, .participants = std::vector<bool>(64, true), .lost = std::vector<bool>(64), .watched = {}};
  while (!campaign.ended())
    campaign.observe(world.measure(1, campaign.round(), campaign.planned()));
  for (auto test : campaign.gathered().tests) {
    const int first = renamed(test.plan.first), second = renamed(test.plan.second);
    test.plan.first = std::min(first, second), test.plan.second = std::max(first, second);
    if (first > second)
      for (std::size_t i = 0; i < test.flows.size(); i += 2)
        std::swap(test.flows[i], test.flows[i + 1]);
    gathered.tests.push_back(test);
  }
  const Judgement one = campaign.judgement(), other = judge(gathered, topology, {});
  std::set<std::pair<int, int>> expected, said;
  for (const auto& each : accused(one))
    expected.emplace(renamed(each.node), each.rail);
  for (const auto& each : accused(other))
    said.emplace(each.node, each.rail);
  EXPECT_EQ(said, expected);
  EXPECT_EQ(said.size(), 2u);
  for (int node = 0; node < 64; ++node)
    EXPECT_EQ(one.nodes[static_cast<std::size_t>(node)], other.nodes[static_cast<std::size_t>(renamed(node))])
        << node;
}

struct SlowLeaf {
  Known known;
  double wrong;
};
class Leaf : public ::testing::TestWithParam<SlowLeaf> {};

TEST_P(Leaf, ASlowOneTaintsNoNode) {
  const auto [known, wrong] = GetParam();
  for (const double severity : {.06, .1, .2, .45})
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      const Judgement judgement =
          campaign_with(calm(256), {fault_at({.kind = Kind::leaf, .leaf = 6}, severity)}, seed, known, wrong)
              .judgement();
      EXPECT_EQ(count_of(judgement, Standing::faulty), 0u) << severity;
      if (known == Known::nothing) {
        EXPECT_GE(count_of(judgement, Standing::ambiguous), 28u);
        EXPECT_THAT(judgement.located.at(0).why, HasSubstr("look for what they share"));
      } else {
        EXPECT_THAT(accused(judgement), ElementsAre(Component{.kind = Kind::leaf, .leaf = 6})) << severity;
      }
    }
}
INSTANTIATE_TEST_SUITE_P(Acceptance4, Leaf,
                         ::testing::Values(SlowLeaf{Known::uplinks, 0}, SlowLeaf{Known::uplinks, .05},
                                           SlowLeaf{Known::leaves, 0}, SlowLeaf{Known::nothing, 0}));

// Without the guards it would: the test above can fail.
TEST(Acceptance4, WithoutTheGroupGuardItWould) {
  World world(calm(256), 1);
  world.plant(fault_at({.kind = Kind::leaf, .leaf = 6}, .2));
  Rules rules;
  rules.group_guard = rules.mass_guard = false;
  const auto campaign = campaign_in(world, known_topology(world.topology(), Known::nothing, 0, 1), 1, rules);
  EXPECT_GE(count_of(campaign.judgement(), Standing::faulty), 28u);
}

TEST(Acceptance4, NodesBehindASlowLeafAreMaskedAndReleased) {
  const Campaign campaign = campaign_with(calm(256), {fault_at({.kind = Kind::leaf, .leaf = 6}, .2)});
  EXPECT_EQ(count_of(campaign.judgement(), Standing::masked), 32u);
  EXPECT_LE(campaign.tests_planned(), 260u);
}

TEST(Acceptance5, OneSlowUplinkOfSixteenIsNamedThoughTheRailIsFull) {
  for (const Kind kind : {Kind::up, Kind::down})
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      const Component at{.kind = kind, .leaf = 9, .uplink = 13};
      const Campaign campaign = campaign_with(calm(256), {fault_at(at, .2)}, seed);
      EXPECT_THAT(accused(campaign.judgement()), ElementsAre(at)) << seed;
      EXPECT_EQ(count_of(campaign.judgement(), Standing::faulty), 0u);
      for (const float worst : campaign.judgement().worst)
        EXPECT_GT(worst, .97) << "the rail's total shows nothing";
    }
}

TEST(Acceptance5, WithTwoLeavesBothUplinksOfThePathAreListed) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Component at{.kind = Kind::up, .leaf = 2, .uplink = 13};
    const Judgement judgement = campaign_with(calm(64), {fault_at(at, .2)}, seed).judgement();
    ASSERT_EQ(judgement.located.size(), 1u);
    const Located& found = judgement.located[0];
    EXPECT_EQ(found.standing, Standing::ambiguous);
    ASSERT_EQ(found.rivals.size(), 1u);
    std::set<std::pair<Kind, int>> both{{found.component.kind, found.component.leaf},
                                        {found.rivals[0].component.kind, found.rivals[0].component.leaf}};
    EXPECT_EQ(both, (std::set<std::pair<Kind, int>>{{Kind::up, 2}, {Kind::down, 6}}));
  }
}

TEST(Acceptance5, WithoutKnownUplinksThePortsAreListedAndNoNode) {
  const Component at{.kind = Kind::up, .leaf = 9, .uplink = 13};
  const Judgement judgement = campaign_with(calm(256), {fault_at(at, .3)}, 1, Known::leaves).judgement();
  EXPECT_THAT(accused(judgement), IsEmpty());
  EXPECT_GE(judgement.located.size(), 1u);
  for (const auto& each : judgement.located) {
    ASSERT_TRUE(each.path.has_value());
    EXPECT_EQ(each.standing, Standing::path);
  }
  EXPECT_EQ(count_of(judgement, Standing::clean), 256u);
}

TEST(Acceptance6, TwoNodesAreAmbiguousWithoutACounterAndNamedWithOne) {
  for (const Kind kind : {Kind::end, Kind::tx, Kind::node}) {
    auto fault = fault_at({.kind = kind, .node = 1, .rail = kind == Kind::node ? -1 : 2}, .3);
    const Judgement without = campaign_with(calm(2), {fault}, 1, Known::nothing).judgement();
    EXPECT_THAT(without.nodes, ElementsAre(Standing::ambiguous, Standing::ambiguous));
    fault.counted = true;
    const Campaign campaign = campaign_with(calm(2), {fault}, 1, Known::nothing);
    EXPECT_EQ(campaign.round(), 3);
    EXPECT_THAT(accused(campaign.judgement()), ElementsAre(fault.component));
    EXPECT_EQ(campaign.judgement().nodes[0], Standing::masked);
  }
}

TEST(Guards, ACounterAloneNeverAccuses) {
  WorldKnobs knobs = calm(64);
  knobs.miscounted = 1;
  const Judgement judgement = campaign_with(knobs, {}).judgement();
  EXPECT_EQ(count_of(judgement, Standing::clean), 64u);
}

TEST(Guards, LessThanTheFloorIsWatched) {
  const Component at{.kind = Kind::end, .node = 5, .rail = 1};
  const Judgement judgement = campaign_with(calm(256), {fault_at(at, .03)}).judgement();
  EXPECT_THAT(accused(judgement), IsEmpty());
  EXPECT_EQ(judgement.nodes[5], Standing::watch);
  EXPECT_THAT(judgement.located.at(0).why, HasSubstr("less than the floor"));
}

TEST(Guards, AnEndAsSlowAsALeafElsewhereMayBeInTheWrongLeaf) {
  const Judgement judgement =
      campaign_with(calm(256), {fault_at({.kind = Kind::leaf, .leaf = 6}, .2),
                                fault_at({.kind = Kind::end, .node = 200, .rail = 2}, .2)})
          .judgement();
  EXPECT_THAT(accused(judgement), ElementsAre(Component{.kind = Kind::leaf, .leaf = 6}));
  EXPECT_EQ(judgement.nodes[200], Standing::ambiguous);
}

TEST(Guards, AFleetOfBadNodesIsTheFleet) {
  std::vector<Planted> planted;
  for (int node = 0; node < 64; node += 5)
    planted.push_back(fault_at({.kind = Kind::end, .node = node, .rail = node % 4}, .1 + .004 * node));
  const Judgement judgement = campaign_with(calm(64), planted).judgement();
  EXPECT_THAT(accused(judgement), IsEmpty());
  EXPECT_THAT(judgement.alarm, HasSubstr("nobody is"));
}

// A fault that sets in with the last round that was to be held is looked at again.
TEST(Acceptance2, BadInTheLastRoundIsLookedAtAgain) {
  int named = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    auto sets_in = fault_at({.kind = Kind::end, .node = 3, .rail = 1}, .9);
    sets_in.from_round = 2;
    const Judgement judgement = campaign_with(calm(64), {sets_in}, seed).judgement();
    named += judgement.nodes[3] == Standing::faulty ? 1 : 0;
    EXPECT_LE(count_of(judgement, Standing::faulty), 1u) << seed;
  }
  EXPECT_GE(named, 18);
}

// All of its nodes are masked by the very leaf that is open.
TEST(Acceptance4, AnOpenLeafIsLookedAtAgainFromInside) {
  int held = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    auto sets_in = fault_at({.kind = Kind::leaf, .leaf = 1}, .2);
    sets_in.from_round = 2;
    const Campaign campaign = campaign_with(calm(64), {sets_in}, seed);
    held += campaign.round() > 2 ? 1 : 0;
    EXPECT_EQ(count_of(campaign.judgement(), Standing::faulty), 0u) << seed;
  }
  EXPECT_EQ(held, 10);
}

// What everybody exceeds by more than a fault costs hides the fault.
TEST(Guards, ATargetThatIsTooLowPassesNobody) {
  Campaign campaign({.seed = 1, .id = 1, .rules = {.target_named = true}, .watched = {}},
                    regular_topology(64, 4, 32, 16));
  while (!campaign.ended()) {
    std::vector<TestResult> results;
    for (const auto& plan : campaign.planned()) {
      results.push_back(healthy_test(campaign.round(), plan));
      for (auto& flow : results.back().flows)
        flow.rate = 2;
    }
    campaign.observe(results);
  }
  EXPECT_THAT(campaign.judgement().alarm, HasSubstr("the target is too low to judge by"));
  EXPECT_EQ(decision_of(campaign.judgement()), Decision::inconclusive);
}

// Beside each other all are well: a little is said, much is no pass.
TEST(Guards, AFleetBelowItsTargetIsSaidToBe) {
  for (const double rate : {.96, .9}) {
    Campaign campaign({.seed = 1, .id = 1, .rules = {}, .watched = {}}, regular_topology(64, 4, 32, 16));
    std::vector<TestResult> results;
    for (const auto& plan : campaign.planned()) {
      results.push_back(healthy_test(1, plan));
      for (auto& flow : results.back().flows)
        flow.rate = rate;
    }
    campaign.observe(results);
    const Judgement& judgement = campaign.judgement();
    if (rate > .95) {
      ASSERT_EQ(judgement.warnings.size(), 1u);
      EXPECT_THAT(judgement.warnings[0], HasSubstr("FLEET: the usual rate inside a leaf is 96"));
      EXPECT_TRUE(judgement.alarm.empty());
    } else {
      EXPECT_TRUE(judgement.warnings.empty());
      EXPECT_THAT(judgement.alarm, HasSubstr("the usual rate inside a leaf is 90"));
      EXPECT_EQ(decision_of(judgement), Decision::inconclusive);
    }
  }
}

// Where queue pairs differ much by themselves, the two best are no measure of the others.
TEST(Guards, ANoisyFabricHasNoOpenUplinks) {
  WorldKnobs knobs = calm(256);
  knobs.noise = .1;
  const Campaign campaign = campaign_with(knobs, {});
  EXPECT_EQ(campaign.round(), 2);
  EXPECT_TRUE(campaign.judgement().open_uplinks.empty());
  EXPECT_EQ(count_of(campaign.judgement(), Standing::clean), 256u);
}

TEST(Evidence, SixForAndThreeAgainstTheStrongestFirst) {
  const Component at{.kind = Kind::node, .node = 5};
  const Judgement judgement = campaign_with(calm(256), {fault_at(at, .2)}).judgement();
  ASSERT_EQ(judgement.located.size(), 1u);
  const auto& evidence = judgement.located[0].evidence_for;
  ASSERT_EQ(evidence.size(), 6u);
  for (std::size_t i = 0; i < evidence.size(); ++i) {
    EXPECT_TRUE(evidence[i].from == 5 || evidence[i].to == 5);
    EXPECT_NEAR(evidence[i].ratio, .8, .03);
    if (i > 0) {
      EXPECT_GE(evidence[i - 1].nats, evidence[i].nats);
    }
  }
  EXPECT_LE(judgement.located[0].evidence_against.size(), 3u);
  EXPECT_GE(judgement.located[0].bad_rounds, 2);
  EXPECT_GE(judgement.located[0].partners, 2);
}

TEST(Watched, ANodeOfAnEarlierListIsNearerToAFault) {
  // One bad round, seen again: on the list of last week its margin is a nat more.
  World world(calm(256), 3);
  world.plant(fault_at({.kind = Kind::end, .node = 5, .rail = 1}, .3));
  std::vector<bool> watched(256);
  watched[5] = true;
  double margins[2] = {};
  for (const bool known : {false, true}) {
    World same = world;
    Campaign campaign({.seed = 3, .id = 3, .rules = {}, .watched = known ? watched : std::vector<bool>{}},
                      same.topology());
    while (!campaign.ended())
      campaign.observe(same.measure(3, campaign.round(), campaign.planned()));
    margins[known] = campaign.judgement().located.at(0).margin;
  }
  EXPECT_NEAR(margins[1] - margins[0], 1, .05);
}

}  // namespace

}  // namespace mlc::fleet
