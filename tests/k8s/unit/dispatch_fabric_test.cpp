// Groups of nodes that passed alone, and what comes of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reports/record/moment.hpp"
#include "tests/k8s/unit/dispatched_cluster.hpp"

namespace mlc {
namespace {

using testing::HasSubstr;

DispatchedCluster with_fabric_nodes(int count, int admitted) {
  DispatchedCluster cluster;
  for (int i = 0; i < count; ++i)
    cluster.add("new" + std::to_string(i), "fabric").tested = cluster.fleet.now - 10;
  for (int i = 0; i < admitted; ++i)
    cluster.add("old" + std::to_string(i), "admitted");
  return cluster;
}

// A refusal is an answer: what was mended since, and passed alone, is not made to wait for it.
TEST(Dispatch, ARepairedNodeMeetsOthersAtOnceAfterAFabricStageThatRefusedIt) {
  DispatchedCluster cluster = with_fabric_nodes(5, 0);
  for (int repair = 0; repair < 4; ++repair) {
    const auto groups = made(cluster.go(400), JobKind::fabric);
    ASSERT_EQ(groups.size(), 1u) << repair << " " << why(cluster.round(), "new0");
    for (auto& job : cluster.fleet.jobs)
      if (!job.over()) cluster.end(job);
    for (auto& node : cluster.fleet.nodes)
      node.state = "refused";
    cluster.go();
    for (auto& node : cluster.fleet.nodes)
      node.state = "pending";
    cluster.go();
    for (auto& job : cluster.fleet.jobs)
      if (!job.over()) cluster.end(job);
    for (auto& node : cluster.fleet.nodes)
      node.state = "fabric";
  }
}

TEST(Dispatch, AFirstClusterTestsItself) {
  DispatchedCluster cluster = with_fabric_nodes(5, 0);
  EXPECT_THAT(why(cluster.round(), "new0"), HasSubstr("waits for other new nodes until"));
  const auto groups = made(cluster.go(400), JobKind::fabric);
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].members.size(), 5u);
  EXPECT_EQ(groups[0].pods, 5);
  EXPECT_FALSE(groups[0].witnesses);
  EXPECT_TRUE(made(cluster.go(), JobKind::fabric).empty());
  EXPECT_THAT(why(cluster.round(), "new3"), HasSubstr("for its Pod to begin"));
}

TEST(Dispatch, WitnessesFillAGroup) {
  DispatchedCluster cluster = with_fabric_nodes(1, 10);
  const auto groups = made(cluster.go(400), JobKind::fabric);
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].pods, 1 + cluster.policy.dispatch.partners);
  EXPECT_TRUE(groups[0].witnesses);
  // Many: a group that is full need not wait, and there are several.
  DispatchedCluster many = with_fabric_nodes(12, 10);
  const auto two = made(many.go(1), JobKind::fabric);
  ASSERT_EQ(two.size(), 2u);
  EXPECT_EQ(two[0].members.size(), 5u);
  EXPECT_EQ(two[0].pods, many.policy.dispatch.fabric_nodes);
  std::set<std::string> seen;
  for (const auto& group : two)
    for (const auto& member : group.members)
      EXPECT_TRUE(seen.insert(member.name).second) << member.name << " is in two groups";
}

TEST(Dispatch, TooFewPartnersIsSaid) {
  DispatchedCluster cluster = with_fabric_nodes(2, 1);
  EXPECT_TRUE(made(cluster.go(400), JobKind::fabric).empty());
  EXPECT_THAT(why(cluster.round(), "new0"),
              HasSubstr("needs 3 partners (dispatch.partners); 1 other node is ready and 1 is admitted"));
}

TEST(Dispatch, AGroupThatFoundNoWitnessesIsMadeWithoutThem) {
  DispatchedCluster cluster = with_fabric_nodes(5, 3);
  cluster.go(400);
  const Round gone = cluster.go(starts_within_s + 60);
  ASSERT_EQ(gone.deletions.size(), 1u);
  EXPECT_EQ(gone.node_patches.size(), 5u) << "each of its nodes has that on its record";
  const auto groups = made(cluster.go(660), JobKind::fabric);
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_FALSE(groups[0].witnesses);
}

TEST(Dispatch, TwoGroupsWithOneNodeBecomeOne) {
  DispatchedCluster cluster = with_fabric_nodes(5, 0);
  cluster.go(400);
  DispatchJob younger = cluster.only_job();
  younger.name = "mlc-fabric-other", younger.uid = "other", younger.created += 1;
  cluster.fleet.jobs.push_back(younger);
  const Round round = cluster.go();
  ASSERT_EQ(round.deletions.size(), 1u);
  EXPECT_EQ(round.deletions[0].name, "mlc-fabric-other");
  EXPECT_TRUE(round.node_patches.empty()) << "nothing was tried";
}

TEST(Dispatch, FabricStagesThatGiveNothingLeadBackToTheLocalStages) {
  DispatchedCluster cluster = with_fabric_nodes(5, 0);
  int fabric = 0, local = 0;
  for (int minute = 0; minute < 24 * 60; ++minute) {
    const Round round = cluster.go();
    fabric += static_cast<int>(made(round, JobKind::fabric).size());
    local += static_cast<int>(made(round, JobKind::burnin).size());
    for (auto& job : cluster.fleet.jobs) {
      if (job.over()) continue;
      cluster.end(job);
      for (const auto& member : job.members)
        if (job.kind == JobKind::burnin) cluster.node(member.name).state = "fabric";
    }
    for (const auto& node : cluster.fleet.nodes)
      ASSERT_NE(why(round, node.name), "") << minute;
  }
  EXPECT_GE(local, 5);
  EXPECT_GE(fabric, 6);
  EXPECT_LE(fabric, 60) << "and less often with time";
}

}  // namespace
}  // namespace mlc
