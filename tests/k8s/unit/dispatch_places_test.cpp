// Nodes that looks and witnesses get and that come to nothing: no Pod begins there, or one ends without a
// word. They must not keep the others waiting, nor be asked each minute.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "k8s/dispatch/round_state.hpp"
#include "tests/k8s/unit/dispatched_cluster.hpp"

namespace mlc {
namespace {

// Nodes that are free, since no Pod begins there: they must not be all that looks are taken at.
TEST(Dispatch, ANodeWhereNoPodBeginsLosesItsTurnAndItsSeat) {
  DispatchedCluster cluster;
  cluster.policy.dispatch.health_every_s = 7 * 86400;
  for (int i = 0; i < 12; ++i) {
    FleetNode& node = cluster.add("n" + std::to_string(i), "admitted");
    node.tested = cluster.fleet.now - (20 - i) * 86400, node.looked = cluster.fleet.now;
    node.tested_hour = std::to_string(*node.tested / 3600);
  }
  cluster.go();
  ASSERT_EQ(cluster.fleet.jobs.size(), 4u);
  const auto made = cluster.fleet.now;
  for (std::size_t i = 0; i < 4; ++i)
    add_pods(cluster.fleet, {{.job = cluster.fleet.jobs[i].name,
                              .created = made,
                              .why = "ErrImagePull",
                              .node = "n" + std::to_string(i),
                              .placed = made}});
  const Round late = cluster.go(look_starts_within_s + 60);
  EXPECT_EQ(late.deletions.size(), 4u);
  EXPECT_EQ(late.creations.size(), 4u) << "at once: others are due, and nothing says that none is free";
  EXPECT_TRUE(late.template_patches.empty());
  const Round next = cluster.go();
  for (const char* name : {"n0", "n3"}) {
    const FleetNode& node = cluster.node(name);
    EXPECT_EQ(node.due, "true") << "no witness";
    EXPECT_GE(std::stol(node.tested_hour) * 3600 + 3600, cluster.fleet.now) << "others come first";
  }
  EXPECT_EQ(cluster.node("n4").due, "");
  EXPECT_TRUE(std::ranges::any_of(next.notes, [](const std::string& note) {
    return note.find("do not begin on 4 nodes") != std::string::npos &&
           note.find("ErrImagePull") != std::string::npos;
  }));
  // Later a Pod may begin there, as far as anybody knows.
  cluster.fleet.jobs.clear();
  cluster.go(no_place_wait_s);
  cluster.go();
  EXPECT_EQ(cluster.node("n0").due, "");
  EXPECT_LE(std::stol(cluster.node("n0").tested_hour) * 3600, *cluster.node("n0").tested)
      << "its turn is back";
}

// Nodes where nothing begins are always free, and the stalest.
TEST(Dispatch, ManyNodesWhereNothingBeginsStarveNobody) {
  DispatchedCluster cluster;
  for (int i = 0; i < 60; ++i) {
    FleetNode& node = cluster.add((i < 50 ? "bad" : "good") + std::to_string(i), "admitted");
    node.tested = cluster.fleet.now - (i < 50 ? 30 : 20) * 86400, node.looked = cluster.fleet.now;
    node.tested_hour = std::to_string(*node.tested / 3600);
  }
  // The scheduler: the stalest that the affinity admits.
  const auto free_node = [&](std::time_t before, const std::set<std::string>& taken) {
    const FleetNode* stalest = nullptr;
    for (const auto& node : cluster.fleet.nodes)
      if (!taken.contains(node.name) && std::stol(node.tested_hour) * 3600 < before &&
          (stalest == nullptr || std::stol(node.tested_hour) < std::stol(stalest->tested_hour)))
        stalest = &node;
    return stalest;
  };
  std::map<std::string, std::pair<std::string, std::time_t>> places;  // by Job: its node, and since when
  for (int minute = 0; minute < 12 * 60; ++minute) {
    cluster.fleet.now += 60;
    std::set<std::string> taken;
    for (const auto& [job, place] : places)
      taken.insert(place.first);
    std::vector<JobPod> pods;
    for (auto& job : cluster.fleet.jobs) {
      if (job.kind != JobKind::health || job.over()) continue;
      if (!places.contains(job.name))
        if (const auto* node = free_node(
                cluster.fleet.now - static_cast<std::time_t>(cluster.policy.dispatch.health_every_s), taken))
          places[job.name] = {node->name, cluster.fleet.now}, taken.insert(node->name);
      const auto place = places.find(job.name);
      if (place == places.end()) continue;
      job.idle = job.begun = 0, job.idle_on.clear(), job.idle_since.reset();
      if (place->second.first.starts_with("good")) {
        job.finished = cluster.fleet.now, job.passed = true;
        cluster.node(place->second.first).tested = cluster.fleet.now;
        places.erase(place);
      } else {
        pods.push_back({.job = job.name,
                        .created = job.created,
                        .why = "ErrImagePull",
                        .node = place->second.first,
                        .placed = place->second.second});
      }
    }
    add_pods(cluster.fleet, pods);
    cluster.go();
    std::erase_if(places, [&](const auto& one) { return cluster.job(one.first) == nullptr; });
    std::erase_if(cluster.fleet.jobs, [](const DispatchJob& job) { return job.over(); });
  }
  for (const auto& node : cluster.fleet.nodes)
    EXPECT_TRUE(node.name.starts_with("bad") || *node.tested > cluster.fleet.now - 86400) << node.name;
}

TEST(Dispatch, ALookThatPassedByAClockThatIsBehindIsALook) {
  DispatchedCluster cluster;
  FleetNode& node = cluster.add("a", "admitted");
  node.tested = node.looked = cluster.fleet.now - 2 * 86400;
  cluster.go();
  DispatchJob& job = *std::ranges::find(cluster.fleet.jobs, JobKind::passive, &DispatchJob::kind);
  job.finished = cluster.fleet.now + 20, job.passed = true;
  cluster.node("a").looked = cluster.fleet.now - 420;
  cluster.go(60);
  EXPECT_EQ(cluster.node("a").attempts[JobKind::passive].misses, 0);
  EXPECT_EQ(std::ranges::count(cluster.go(3600).creations, JobKind::passive, &CreateJob::kind), 0);
}

// Somebody's tool writes the label again and again, and the look corrects it each time.
TEST(Dispatch, ALookThatPassesAndWritesNothingBacksOff) {
  DispatchedCluster cluster;
  for (const bool edited : {false, true}) {
    FleetNode& node = cluster.add(edited ? "edited" : "open", "admitted");
    node.tested = node.looked = cluster.fleet.now - 2 * 86400;
    if (edited) node.expires.reset();
  }
  std::map<std::string, int> looks;
  for (int minute = 0; minute < 90; ++minute) {
    for (const auto& job : cluster.go(60).creations)
      if (job.kind == JobKind::passive) ++looks[job.members.front().name];
    for (auto& job : cluster.fleet.jobs)
      if (job.kind == JobKind::passive && !job.over()) job.finished = cluster.fleet.now, job.passed = true;
  }
  EXPECT_LE(looks["open"], 5);
  EXPECT_LE(looks["edited"], 5);
  EXPECT_GE(looks["open"], 2);
}

// A busy cluster: the Pod got its node just before its time would have been over.
TEST(Dispatch, APodThatGotItsNodeLateHasItsTimeThere) {
  DispatchedCluster cluster;
  FleetNode& node = cluster.add("a", "admitted");
  node.tested = cluster.fleet.now - 9 * 86400, node.looked = cluster.fleet.now;
  cluster.go();
  const std::string name = cluster.only_job().name;
  const auto made = cluster.fleet.now, placed = made + static_cast<std::time_t>(look_starts_within_s) - 15;
  add_pods(cluster.fleet,
           {{.job = name, .created = made, .why = "ContainerCreating", .node = "a", .placed = placed}});
  EXPECT_TRUE(cluster.go(look_starts_within_s + 5).deletions.empty());
  EXPECT_EQ(cluster.node("a").due, "");
  EXPECT_EQ(cluster.go(look_starts_within_s).deletions.size(), 1u);
}

// Confirmed, put off by the share, and under test again: its looks write nothing, and must not be all there
// are.
TEST(Dispatch, LooksAtRefusedNodesThatComeToNothingBackOff) {
  DispatchedCluster cluster;
  cluster.policy.admit.quarantine.emplace();
  for (int i = 0; i < 6; ++i)
    cluster.add("bad" + std::to_string(i), "refused").created = cluster.fleet.now - 90000;
  for (int i = 0; i < 8; ++i)
    cluster.add("open" + std::to_string(i), "admitted").looked = cluster.fleet.now - 2 * 86400;
  for (auto& node : cluster.fleet.nodes)
    if (node.state == "admitted") node.tested = node.looked;
  std::map<std::string, int> looks;
  for (int minute = 0; minute < 60; ++minute) {
    const Round round = cluster.go(60);
    for (const auto& job : round.creations)
      if (job.kind == JobKind::passive) ++looks[job.members.front().name];
    for (auto& job : cluster.fleet.jobs)
      if (job.kind == JobKind::passive && !job.over()) {
        job.finished = cluster.fleet.now, job.passed = true;
        const std::string name = job.members.front().name;
        if (name.starts_with("open")) cluster.node(name).looked = cluster.fleet.now;
      }
  }
  for (int i = 0; i < 8; ++i)
    EXPECT_EQ(looks["open" + std::to_string(i)], 1) << i;
  for (int i = 0; i < 6; ++i)
    EXPECT_LE(looks["bad" + std::to_string(i)], 4) << i;
}

TEST(Dispatch, ANodeWhoseLookEndsWithoutAWordLosesItsTurn) {
  DispatchedCluster cluster;
  cluster.policy.dispatch.health_every_s = 7 * 86400;
  FleetNode& bad = cluster.add("bad", "admitted");
  bad.tested = cluster.fleet.now - 9 * 86400, bad.looked = cluster.fleet.now;
  cluster.go();
  DispatchJob& job = cluster.only_job();
  job.began = cluster.fleet.now, job.finished = cluster.fleet.now + 20;
  EXPECT_EQ(looks_without_pass(cluster.fleet), std::vector<std::string>{job.name});
  add_places(cluster.fleet, {{.job = job.name, .begun = true, .node = "bad"}});
  cluster.go(60);
  const auto after = cluster.node("bad").attempts.at(JobKind::health);
  EXPECT_EQ(after.misses, 1);
  EXPECT_GE(std::stol(cluster.node("bad").tested_hour) * 3600 + 3600, cluster.fleet.now);
  EXPECT_EQ(cluster.node("bad").due, "") << "a Pod begins there: a witness still";
  cluster.go(60);
  EXPECT_EQ(cluster.node("bad").attempts.at(JobKind::health), after) << "counted once";
}

// It wrote the condition, and then the API server was away.
TEST(Dispatch, APassiveLookThatDidNotComeToItsEndIsTakenAgainSoon) {
  DispatchedCluster cluster;
  cluster.add("a", "admitted");
  cluster.fleet.now += static_cast<std::time_t>(cluster.policy.dispatch.passive_every_s);
  cluster.go();
  const auto name = [&](int number) { return job_name_of(JobKind::passive, cluster.node("a"), number); };
  ASSERT_NE(cluster.job(name(0)), nullptr);
  cluster.job(name(0))->finished = cluster.fleet.now;
  cluster.go(60);
  EXPECT_EQ(cluster.job(name(1)), nullptr);
  cluster.go(cluster.policy.dispatch.retry_first_s + 60);
  EXPECT_NE(cluster.job(name(1)), nullptr);
}

TEST(Dispatch, ARefusedNodeThatIsOpenToWorkIsLookedAtEachHour) {
  DispatchedCluster cluster;
  cluster.policy.admit.quarantine.emplace();
  cluster.add("a", "refused").looked = cluster.fleet.now - 600;
  const auto looks = [](const Round& round) {
    return std::ranges::count(round.creations, JobKind::passive, &CreateJob::kind);
  };
  EXPECT_EQ(looks(cluster.round()), 0);
  cluster.fleet.now += 3600;
  EXPECT_EQ(looks(cluster.go()), 1);
  EXPECT_TRUE(cluster.go().deletions.empty());
  cluster.fleet.jobs.clear();
  cluster.node("a").quarantined = true;
  EXPECT_EQ(looks(cluster.round()), 0);
}

TEST(Dispatch, ABusyNodeIsTriedAgainWithinAnHourHoweverOften) {
  DispatchedCluster cluster;
  cluster.add("a");
  for (int i = 0; i < 9; ++i) {
    const Round round = cluster.go();
    ASSERT_EQ(cluster.fleet.jobs.size(), 1u) << i;
    cluster.go(starts_within_s + 1);
    ASSERT_TRUE(cluster.fleet.jobs.empty());
    const auto after = cluster.node("a").attempts.at(JobKind::burnin).after;
    ASSERT_TRUE(after);
    EXPECT_LE(*after, cluster.fleet.now + 3600);
    cluster.fleet.now = *after;
  }
}

}  // namespace
}  // namespace mlc
