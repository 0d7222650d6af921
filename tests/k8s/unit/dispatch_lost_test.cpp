// Jobs whose Pods find no place, are lost with their node, are replaced, or measure by a policy that is no
// longer so.
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

TEST(Pods, AreReadAsThePlaceThatTheyHave) {
  const auto pod = read_job_pod(json::parse(R"({
      "metadata": {"name": "p", "uid": "u", "creationTimestamp": "2027-01-15T08:00:00Z",
                   "labels": {"batch.kubernetes.io/job-name": "mlc-burnin-a-0"}},
      "status": {"phase": "Pending", "conditions": [
          {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/8 nodes are free"}]}})"));
  ASSERT_TRUE(pod);
  EXPECT_EQ(pod->job, "mlc-burnin-a-0");
  EXPECT_FALSE(pod->begun);
  EXPECT_EQ(pod->why, "0/8 nodes are free");
  EXPECT_EQ(pod->created, parse_rfc3339("2027-01-15T08:00:00Z"));
  EXPECT_FALSE(read_job_pod(json::parse(R"({"metadata": {"name": "p", "uid": "u"}})"))) << "of no Job";
  EXPECT_THROW((void)read_job_pod(json::parse("[3]")), std::runtime_error);
}

// A burn-in that was preempted after an hour, whose next Pod is being made; one whose kubelet did not say for
// a minute that its Pod is ready.
TEST(Dispatch, AJobThatRanIsNotOneThatNeverFoundAPlace) {
  DispatchedCluster cluster;
  cluster.add("a");
  cluster.go();
  DispatchJob& job = cluster.only_job();
  const std::string name = job.name;
  job.began = cluster.fleet.now;
  cluster.fleet.now += 3600;
  add_pods(cluster.fleet, {{.job = name, .begun = true, .created = cluster.fleet.now - 3600, .why = ""}});
  EXPECT_TRUE(cluster.go().deletions.empty()) << "not ready, and on its node";
  job.begun = 0;
  add_pods(cluster.fleet, {{.job = name, .begun = false, .created = cluster.fleet.now, .why = "0/8"}});
  EXPECT_TRUE(cluster.go().deletions.empty()) << "made a minute ago";
  EXPECT_THAT(why(cluster.round(), "a"), HasSubstr("for its Pod to begin: 0/8"));
  const Round late = cluster.go(starts_within_s);
  ASSERT_EQ(late.deletions.size(), 1u);
  EXPECT_THAT(late.deletions[0].why, HasSubstr("began in 15 minutes: 0/8"));
  EXPECT_THAT(why(cluster.round(), "a"), HasSubstr("one Job whose Pod never began (0/8)"));
}

TEST(Dispatch, AGroupThatLacksOneSaysWhich) {
  DispatchJob job{.name = "mlc-fabric-1"};
  job.running = true, job.begun = 3, job.idle = 1, job.idle_since = 7;
  job.idle_why = "1 node(s) were unschedulable";
  EXPECT_THAT(how_it_is(job), HasSubstr("3 Pods at work"));
  EXPECT_THAT(how_it_is(job), HasSubstr("1 that has not begun: 1 node(s) were unschedulable"));
  job.suspended = true, job.running = false, job.idle = job.begun = 0;
  EXPECT_THAT(how_it_is(job), HasSubstr("waits for its queue"));
}

// A rack without power: no Pod there is ever seen to end, so no Job of it is ever seen to fail.
TEST(Dispatch, JobsOnNodesThatAreGoneFreeTheirPlaces) {
  const auto job = read_job(json::parse(R"({
      "metadata": {"name": "mlc-burnin-x-0", "uid": "u", "labels": {"mlc-bench.io/kind": "burnin"}},
      "status": {"terminating": 1, "conditions": [
          {"type": "FailureTarget", "status": "True", "lastTransitionTime": "2027-01-15T08:00:00Z"}]}})"));
  ASSERT_TRUE(job);
  EXPECT_EQ(job->lost, parse_rfc3339("2027-01-15T08:00:00Z"));
  EXPECT_FALSE(job->over());
  DispatchedCluster cluster;
  cluster.policy.dispatch.at_once = 1;
  cluster.add("a"), cluster.add("b");
  cluster.go();
  DispatchJob& lost = cluster.only_job();
  lost.running = true, lost.lost = cluster.fleet.now;
  EXPECT_THAT(why(cluster.round(), "a"), HasSubstr("does not say that it has"));
  cluster.fleet.now += lost_after_s;
  give_up_lost_jobs(cluster.fleet);
  EXPECT_TRUE(cluster.go().creations.empty()) << "a kubelet may be slow";
  cluster.fleet.now += 60;
  give_up_lost_jobs(cluster.fleet);
  const auto next = cluster.go().creations;
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].members.front().name, "b");
  EXPECT_THAT(why(cluster.round(), "a"), HasSubstr("one Job without a verdict (kubectl"));
}

// The template's ConfigMap has another name; whose dispatcher made the Job, and by which file, does not
// count.
TEST(Dispatch, WhatMeasuresByAnotherPolicyIsDoneAnew) {
  for (const bool running : {false, true}) {
    DispatchedCluster cluster;
    cluster.fleet.templates[JobKind::burnin].configured_by = "mlc-bench-policy-old";
    cluster.add("a");
    cluster.go();
    cluster.only_job().running = running;
    cluster.policy.digest = "sha256:of-somebody's-own-file";
    EXPECT_TRUE(cluster.go().deletions.empty());
    cluster.fleet.templates[JobKind::burnin].configured_by = "mlc-bench-policy-new";
    const Round round = cluster.go();
    ASSERT_EQ(round.deletions.size(), 1u);
    EXPECT_THAT(round.deletions[0].why, HasSubstr("another policy than this"));
    ASSERT_EQ(round.creations.size(), 1u) << "at once, and nobody's fault";
    EXPECT_TRUE(cluster.go().deletions.empty());
  }
  DispatchedCluster open;
  open.policy.digest = "sha256:new";
  open.add("b", "admitted").policy = "sha256:old";
  open.add("c", "admitted").policy = "sha256:new";
  ASSERT_EQ(open.round().notes.size(), 1u);
  EXPECT_THAT(open.round().notes[0], HasSubstr("1 node opened by another policy than this, b among them"));
}

TEST(Pods, OfAJobAndItsTemplateMountTheSamePolicy) {
  const json spec = json::parse(R"({"template": {"spec": {"containers": [{}], "volumes": [
      {"name": "policy", "configMap": {"name": "mlc-bench-policy-5c77"}}, {"name": "tmp", "emptyDir": {}},
      {"name": "both", "projected": {"sources": [{"configMap": {"name": "lock-1"}}]}}]}}})");
  const auto job =
      read_job({{"metadata", {{"name", "j"}, {"uid", "u"}, {"labels", {{"mlc-bench.io/kind", "burnin"}}}}},
                {"spec", spec}});
  const auto made_of = read_template(
      {{"metadata", {{"name", "t"}, {"uid", "u"}, {"labels", {{"mlc-bench.io/template", "burnin"}}}}},
       {"spec", {{"jobTemplate", {{"spec", spec}}}}}});
  ASSERT_TRUE(job && made_of);
  EXPECT_EQ(job->configured_by, "mlc-bench-policy-5c77");
  EXPECT_EQ(made_of->second.configured_by, job->configured_by);
}

TEST(Pods, ThatPullAnImageThatIsNotThereHaveNotBegun) {
  const auto pod = read_job_pod(json::parse(R"({
      "metadata": {"name": "p", "uid": "u", "labels": {"batch.kubernetes.io/job-name": "j"}},
      "spec": {"nodeName": "a"},
      "status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}],
          "initContainerStatuses": [{"state": {"terminated": {"exitCode": 0}}}], "containerStatuses": [
          {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image x"}}}]}})"));
  ASSERT_TRUE(pod);
  EXPECT_FALSE(pod->begun);
  EXPECT_EQ(pod->why, "ImagePullBackOff: Back-off pulling image x");
  EXPECT_TRUE(read_job_pod(json::parse(R"({
      "metadata": {"name": "p", "uid": "u", "labels": {"batch.kubernetes.io/job-name": "j"}},
      "status": {"containerStatuses": [{"ready": false, "state": {"running": {}}}]}})"))
                  ->begun);
}

// The front node was made anew while the other waits.
TEST(Dispatch, AGroupWhoseFrontNodeIsGoneEnds) {
  DispatchedCluster cluster;
  cluster.policy.dispatch.partners = 1;
  for (const char* name : {"a", "b"})
    cluster.add(name, "fabric").tested = cluster.fleet.now - 3600;
  ASSERT_EQ(made(cluster.go(), JobKind::fabric).size(), 1u);
  cluster.fleet.nodes.erase(cluster.fleet.nodes.begin());
  cluster.node("b").state = "pending";
  ASSERT_EQ(cluster.round().deletions.size(), 1u);
  EXPECT_EQ(cluster.round().deletions[0].why, "its node is pending already");
}

// Two new nodes have met and are refused; a witness's seat stayed empty, so the Job would go on to its
// deadline.
TEST(Dispatch, AGroupThatHasEndedButForAnEmptySeatIsOver) {
  DispatchedCluster cluster;
  cluster.policy.dispatch.partners = 1;
  for (const char* name : {"a", "b"})
    cluster.add(name, "fabric").tested = cluster.fleet.now - 3600;
  cluster.go();
  DispatchJob& job = cluster.only_job();
  job.ended = true, job.idle = 1, job.idle_since = cluster.fleet.now, job.running = false;
  EXPECT_TRUE(cluster.go().deletions.empty()) << "one ended early, and the others are about to begin";
  cluster.node("a").state = cluster.node("b").state = "refused";
  const Round round = cluster.go();
  ASSERT_EQ(round.deletions.size(), 1u);
  EXPECT_THAT(round.deletions[0].why, HasSubstr("have ended, but for 1 that never began"));
  EXPECT_TRUE(round.creations.empty());
  EXPECT_THAT(why(cluster.round(), "a"), HasSubstr("refused; tested again after"));
}

TEST(Dispatch, ActiveLooksThatComeToNothingWaitAndAreTold) {
  DispatchedCluster cluster;
  for (const char* name : {"a", "b", "c"}) {
    FleetNode& node = cluster.add(name, "admitted");
    node.tested = node.looked = cluster.fleet.now - 100'000,
    node.tested_hour = std::to_string(*node.tested / 3600);
  }
  int made_in_an_hour = 0;
  for (int minute = 0; minute < 60; ++minute) {
    const Round round = cluster.go();
    made_in_an_hour += static_cast<int>(made(round, JobKind::health).size());
    for (auto& job : cluster.fleet.jobs)
      if (job.kind == JobKind::health && !job.over()) cluster.end(job);
    std::erase_if(cluster.fleet.jobs,
                  [&](const auto& job) { return job.over() && *job.finished + 1800 < cluster.fleet.now; });
  }
  EXPECT_LE(made_in_an_hour, 12);
  cluster.fleet.now += 60;
  EXPECT_THAT(cluster.round().notes, testing::Contains(HasSubstr("active looks come to nothing")));
}

// An inconclusive one says when, so that the next turn is another node's.
TEST(Dispatch, ANodeThatCouldNotTellIsNotTheStalestForEver) {
  DispatchedCluster cluster;
  FleetNode& node = cluster.add("a", "admitted");
  node.tested = node.looked = cluster.fleet.now - 100'000;
  node.tried = cluster.fleet.now - 60, node.tested_hour = std::to_string(*node.tested / 3600);
  const Round round = cluster.round();
  EXPECT_TRUE(made(round, JobKind::health).empty());
  ASSERT_EQ(round.node_patches.size(), 1u);
  EXPECT_EQ(round.node_patches[0].labels.at(tested_hour_label), std::to_string(*node.tried / 3600));
}

TEST(Dispatch, AnOperatorsPendingAfterAPassIsNoMiss) {
  DispatchedCluster cluster;
  cluster.add("a");
  const std::string run = cluster.go().creations.at(0).run_id;
  const auto passed = [&] {
    cluster.end(cluster.fleet.jobs.back());
    cluster.fleet.jobs.back().passed = true;
  };
  passed();
  cluster.node("a").state = "fabric";
  cluster.go();
  cluster.node("a").state = "pending";
  const auto anew = cluster.go().creations;
  ASSERT_EQ(anew.size(), 1u) << why(cluster.round(), "a");
  EXPECT_NE(anew[0].run_id, run);
  // Where something puts the label back each time, it is not done each minute.
  int jobs = 0;
  for (int minute = 0; minute < 60; ++minute) {
    passed();
    jobs += static_cast<int>(cluster.go().creations.size());
  }
  EXPECT_LE(jobs, 4);
}

// Its local Job is long gone when the fabric stage refuses it.
TEST(Dispatch, WhatTheFabricRefusesIsTestedLaterEachTimeAndAnew) {
  DispatchedCluster cluster;
  FleetNode& node = cluster.add("a");
  std::set<std::string> runs;
  std::time_t waited = 0;
  for (int times = 0; times < 3; ++times) {
    const auto local = cluster.go(times == 0 ? 60 : 0).creations;
    ASSERT_EQ(local.size(), 1u) << times << why(cluster.round(), "a");
    EXPECT_TRUE(runs.insert(local[0].run_id).second) << "nothing of it is told again";
    cluster.fleet.jobs.clear();
    node.state = "refused", node.tested = cluster.fleet.now;
    DispatchJob fabric{.name = "mlc-fabric-" + std::to_string(times), .uid = "f" + std::to_string(times)};
    fabric.kind = JobKind::fabric, fabric.members = {{"a", node.uid, times}};
    fabric.created = fabric.finished.emplace(cluster.fleet.now), fabric.answered = true;
    cluster.fleet.jobs = {fabric};
    EXPECT_TRUE(cluster.go().creations.empty());
    EXPECT_THAT(why(cluster.round(), "a"), HasSubstr("refused; tested again after"));
    const auto began = cluster.fleet.now;
    while (cluster.round().creations.empty()) {
      cluster.fleet.now += 60;
      ASSERT_LT(cluster.fleet.now, began + 86400);
    }
    EXPECT_GT(cluster.fleet.now - began, waited);
    waited = cluster.fleet.now - began;
  }
}

TEST(Dispatch, OneThatIsDueIsNoWitness) {
  DispatchedCluster cluster;
  cluster.policy.dispatch.partners = 3;
  cluster.add("new", "fabric").tested = cluster.fleet.now - 3600;
  for (const char* name : {"w0", "w1", "w2"})
    cluster.add(name, "admitted");
  cluster.node("w1").due = "true", cluster.node("w1").suspected = cluster.fleet.now - 60;
  EXPECT_TRUE(made(cluster.round(), JobKind::fabric).empty());
  EXPECT_THAT(why(cluster.round(), "new"), HasSubstr("2 are admitted"));
  cluster.node("w1").due = "", cluster.node("w1").suspected.reset();
  EXPECT_EQ(made(cluster.round(), JobKind::fabric).size(), 1u);
}

TEST(Dispatch, ACheckOfAddressesWithoutAPlaceIsSaidAndNotMadeAgain) {
  DispatchedCluster cluster;
  cluster.fleet.templates[JobKind::ipam] = {"mlc-ipam", "u", {}, {}};
  cluster.fleet.now = 1'800'000'000;
  EXPECT_EQ(made(cluster.go(), JobKind::ipam).size(), 1u);
  int more = 0;
  for (int minute = 0; minute < 50; ++minute) {
    const Round round = cluster.go();
    EXPECT_TRUE(round.deletions.empty());
    more += static_cast<int>(made(round, JobKind::ipam).size());
  }
  EXPECT_EQ(more, 0);
  ASSERT_FALSE(cluster.round().notes.empty());
  EXPECT_THAT(cluster.round().notes[0], HasSubstr("addresses of the rails are not checked"));
}

TEST(Dispatch, ANodeThatNoLookReachesIsTold) {
  DispatchedCluster cluster;
  cluster.add("a", "admitted"), cluster.add("b", "admitted");
  FleetNode& node = cluster.node("a");
  node.looked = node.tested = node.created = cluster.fleet.now - 90'000;
  ASSERT_EQ(cluster.round().notes.size(), 1u);
  EXPECT_THAT(cluster.round().notes[0], HasSubstr("1 node not looked at for more than 24 h, longest a"));
}

TEST(Attempts, ANumberThatNobodyCountedIsCountedOnce) {
  DispatchedCluster cluster;
  FleetNode& node = cluster.add("a");
  node.attempts = read_attempts(R"({"n":1,"try":1000000})");
  cluster.go();
  DispatchJob job{.name = "mlc-burnin-x-1000000", .uid = "x"};
  job.members = {{"a", node.uid, 0}}, job.created = job.finished.emplace(cluster.fleet.now);
  cluster.fleet.jobs = {job};
  int writes = 0;
  for (int minute = 0; minute < 5; ++minute)
    writes += static_cast<int>(cluster.go().node_patches.size());
  EXPECT_LE(writes, 1);
}

}  // namespace
}  // namespace mlc
