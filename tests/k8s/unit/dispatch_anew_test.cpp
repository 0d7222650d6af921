// What is tried anew and what is not counted: an operator's wish, passes that something else came after, and
// times by clocks that are wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "k8s/dispatch/round_state.hpp"
#include "reports/record/moment.hpp"
#include "tests/k8s/unit/dispatched_cluster.hpp"

namespace mlc {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;

// As the table says: kubectl annotate node a --overwrite mlc-bench.io/attempts=again
void wish(DispatchedCluster& cluster, const std::string& node) {
  const auto read =
      read_fleet_node(json::parse(R"({"metadata": {"name": ")" + node +
                                  R"(", "uid": "u", "annotations": {"mlc-bench.io/attempts": "again"}}})"));
  EXPECT_TRUE(read.anew);
  cluster.node(node).attempts = read.attempts, cluster.node(node).anew = read.anew;
}

TEST(Anew, TheWordThatTheTableGivesWorksAtOnce) {
  DispatchedCluster cluster;
  cluster.add("a");
  const std::string run = cluster.go().creations.at(0).run_id;
  cluster.end(cluster.only_job(), false);
  cluster.go();
  EXPECT_THAT(why(cluster.round(), "a"), HasSubstr("or at once: kubectl annotate node a --overwrite "
                                                   "mlc-bench.io/attempts=again"));
  EXPECT_THAT(why(cluster.round(), "a"), HasSubstr("kubectl -n mlc-bench logs job/mlc-burnin-"));
  wish(cluster, "a");
  const auto anew = cluster.go(1).creations;
  ASSERT_EQ(anew.size(), 1u) << why(cluster.round(), "a");
  EXPECT_NE(anew[0].run_id, run) << "nothing that was begun is gone on with";
  EXPECT_FALSE(cluster.node("a").anew) << "it is written over";
  EXPECT_THAT(cluster.go().creations, IsEmpty());
  // The next one that comes to nothing is the first.
  cluster.end(*cluster.job(anew[0].name), false);
  cluster.go();
  EXPECT_THAT(why(cluster.round(), "a"), HasSubstr("one Job without a verdict"));
}

// The newest Job is deleted, an older one is still there: its number and the one after it were given.
TEST(Anew, NoNumberIsGivenTwice) {
  DispatchedCluster cluster;
  cluster.add("a");
  cluster.go();
  cluster.end(cluster.only_job(), false);
  cluster.go(3600);
  ASSERT_EQ(cluster.fleet.jobs.size(), 2u);
  const std::string gone = cluster.fleet.jobs.back().name;
  cluster.fleet.jobs.pop_back();
  wish(cluster, "a");
  const auto anew = cluster.go(1).creations;
  ASSERT_EQ(anew.size(), 1u) << why(cluster.round(), "a");
  EXPECT_NE(anew[0].name, gone);
}

TEST(Anew, WhatIsAtWorkMeanwhileStillCounts) {
  DispatchedCluster cluster;
  cluster.add("a");
  const std::string name = cluster.go().creations.at(0).name;
  cluster.job(name)->running = true;
  wish(cluster, "a");
  EXPECT_THAT(cluster.go().creations, IsEmpty());
  cluster.end(*cluster.job(name), false);
  EXPECT_THAT(cluster.go().creations, IsEmpty());
  EXPECT_THAT(why(cluster.round(), "a"), HasSubstr("one Job without a verdict"));
}

// Opened, and refused two hours later by a look: what had passed is not held against it.
TEST(Anew, PassesBeforeALaterRefusalAreNoMisses) {
  DispatchedCluster cluster;
  cluster.add("a", "pending");
  cluster.go();
  cluster.end(cluster.only_job());
  cluster.fleet.jobs.back().passed = true;
  DispatchJob group = cluster.fleet.jobs.back();
  group.kind = JobKind::fabric, group.name = "mlc-fabric-x", group.uid = "uid-x";
  cluster.fleet.jobs.push_back(group);
  cluster.node("a").state = "admitted", cluster.node("a").tested = cluster.fleet.now;
  cluster.node("a").looked = cluster.fleet.now, cluster.node("a").expires = cluster.fleet.now + 86400;
  cluster.go(7200);
  cluster.node("a").state = "refused";
  const auto round = cluster.go();
  for (const auto& [kind, record] : cluster.node("a").attempts)
    EXPECT_EQ(record.misses, 0) << to_string(kind);
  EXPECT_EQ(round.creations.size(), 1u) << why(round, "a");
}

TEST(Anew, ADeletionThatWaitsForADeadNodeHoldsNobodyForEver) {
  DispatchedCluster cluster;
  cluster.add("a");
  cluster.go();
  cluster.only_job().running = true, cluster.only_job().leaving = cluster.fleet.now;
  EXPECT_THAT(why(cluster.round(), "a"), HasSubstr("is being deleted since"));
  cluster.fleet.now += lost_after_s + 1;
  give_up_lost_jobs(cluster.fleet);
  EXPECT_TRUE(cluster.only_job().over());
  cluster.go();
  EXPECT_THAT(why(cluster.round(), "a"), HasSubstr("one Job without a verdict (kubectl"));
  const auto read = read_job(json::parse(R"({"metadata": {"name": "mlc-burnin-x-0", "uid": "u",
      "deletionTimestamp": "2027-01-15T08:00:00Z", "labels": {"mlc-bench.io/kind": "burnin"}}})"));
  EXPECT_EQ(read->leaving, parse_rfc3339("2027-01-15T08:00:00Z"));
}

// The event's own times are of the kubelet's clock, which may be wrong by a day.
TEST(Reboot, IsAtTheServersTime) {
  const auto at = [](const char* created, const char* last) {
    return read_reboot(json::parse(R"({"reason": "Rebooted", "involvedObject": {"kind": "Node", "name": "a"},
        "metadata": {"name": "e", "uid": "u", "creationTimestamp": ")" +
                                   std::string(created) + R"("}, "lastTimestamp": ")" + last + R"("})"),
                       *parse_rfc3339("2027-01-15T09:00:00Z"))
        ->second;
  };
  const auto made = parse_rfc3339("2027-01-15T08:00:00Z");
  EXPECT_EQ(at("2027-01-15T08:00:00Z", "2027-01-16T08:00:00Z"), made) << "a day ahead";
  EXPECT_EQ(at("2027-01-15T08:00:00Z", "2027-01-14T08:00:00Z"), made) << "a day behind";
  EXPECT_EQ(at("2027-01-15T08:00:00Z", "2027-01-15T08:30:00Z"), parse_rfc3339("2027-01-15T08:30:00Z"))
      << "seen again";
}

}  // namespace
}  // namespace mlc
