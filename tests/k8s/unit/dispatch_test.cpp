#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "reports/record/moment.hpp"
#include "tests/k8s/unit/dispatched_cluster.hpp"

namespace mlc {
namespace {

using testing::HasSubstr;

TEST(Dispatch, APendingNodeGetsOneJobHoweverOftenItIsLookedAt) {
  DispatchedCluster cluster;
  cluster.add("a");
  const Round first = cluster.round(), second = cluster.round();
  ASSERT_EQ(made(first, JobKind::burnin).size(), 1u);
  EXPECT_EQ(first.creations[0].name, second.creations[0].name) << "a second dispatcher makes the same one";
  cluster.carry_out(first), cluster.carry_out(second);
  EXPECT_TRUE(cluster.go().creations.empty());
  EXPECT_THAT(why(cluster.round(), "a"), HasSubstr("for its Pod to begin"));
  cluster.only_job().running = true;
  EXPECT_THAT(why(cluster.round(), "a"), HasSubstr("at work"));
}

TEST(Dispatch, ANodeMadeAnewUnderTheSameNameIsAnotherOne) {
  DispatchedCluster cluster;
  cluster.add("a");
  const std::string name = cluster.go().creations.at(0).name;
  cluster.node("a").uid = "another";
  const Round round = cluster.go();
  ASSERT_EQ(round.creations.size(), 1u);
  EXPECT_NE(round.creations[0].name, name);
  ASSERT_EQ(round.deletions.size(), 1u) << "nobody waits for what is gone";
  EXPECT_EQ(round.deletions[0].name, name);
}

TEST(Dispatch, TimesThatLieAheadKeepNoNodeFromItsLooks) {
  const AdmitPolicy policy;
  Fleet fleet;
  fleet.now = 1'000'000'000;
  const std::time_t far = fleet.now + 80 * 365 * 86'400l;
  FleetNode odd, sound;
  odd.tested = odd.looked = odd.suspected = odd.expires = far;
  sound.tested = sound.looked = fleet.now + 60;  // another's clock
  sound.expires = fleet.now + static_cast<std::time_t>(policy.valid_for_s);
  fleet.nodes = {odd, sound};
  distrust_times_ahead(fleet, policy);
  EXPECT_FALSE(fleet.nodes[0].tested || fleet.nodes[0].looked || fleet.nodes[0].suspected);
  EXPECT_EQ(fleet.nodes[0].expires, fleet.now) << "its time is over, and it is due for a look";
  EXPECT_EQ(fleet.nodes[1].tested, sound.tested);
  EXPECT_EQ(fleet.nodes[1].expires, sound.expires);
}

TEST(Dispatch, NoMoreAtOnceThanThePolicySays) {
  DispatchedCluster cluster;
  cluster.policy.dispatch.at_once = 3;
  for (int i = 0; i < 10; ++i)
    cluster.add("n" + std::to_string(i));
  EXPECT_EQ(made(cluster.go(), JobKind::burnin).size(), 3u);
  EXPECT_TRUE(cluster.go().creations.empty());
  EXPECT_THAT(why(cluster.round(), "n5"),
              HasSubstr("all 3 places (dispatch.at_once) are taken; 2 before it"));
  cluster.end(cluster.fleet.jobs[0]);
  cluster.node("n0").state = "fabric";
  EXPECT_EQ(made(cluster.go(), JobKind::burnin).size(), 1u);
}

TEST(Dispatch, ARunWithoutAnAnswerWaitsLongerEachTime) {
  DispatchedCluster cluster;
  cluster.add("a");
  std::vector<double> waits;
  for (int i = 0; i < 12; ++i) {
    double waited = 0;
    while (cluster.go().creations.empty()) {
      waited += 60;
      ASSERT_LT(waited, 3 * 86400) << "stuck";
    }
    waits.push_back(waited);
    cluster.end(cluster.fleet.jobs.back(), /*answered=*/false);
  }
  EXPECT_LE(waits[0], 60);
  EXPECT_NEAR(waits[1], 600, 61);
  EXPECT_NEAR(waits[2], 1200, 61);
  EXPECT_NEAR(waits[11], 86400, 61) << "and no longer than retry_most";
  std::set<std::string> names;
  for (const auto& job : cluster.fleet.jobs)
    EXPECT_TRUE(names.insert(job.name).second) << job.name;
}

TEST(Dispatch, ARunThatWasKilledGoesOnAndOneThatEndedBeginsAnew) {
  DispatchedCluster cluster;
  cluster.add("a");
  const std::string run = cluster.go().creations.at(0).run_id;
  cluster.end(cluster.only_job(), /*answered=*/false);
  cluster.go();
  const auto again = cluster.go(660).creations;
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].run_id, run);
  cluster.end(cluster.fleet.jobs.back(), /*answered=*/true);
  cluster.node("a").state = "refused";
  cluster.go();
  const auto anew = cluster.go(1300).creations;
  ASSERT_EQ(anew.size(), 1u);
  EXPECT_NE(anew[0].run_id, run) << "what refused it is decided, and would be found on disk";
}

TEST(Dispatch, ARefusedNodeIsTestedAgainAndAtOnceWhenAnOperatorSaysSo) {
  DispatchedCluster cluster;
  cluster.add("a");
  cluster.go();
  cluster.end(cluster.only_job());
  cluster.node("a").state = "refused";
  Round round = cluster.go();
  EXPECT_TRUE(round.creations.empty());
  EXPECT_THAT(why(cluster.round(), "a"), HasSubstr("kubectl label node a --overwrite"));
  cluster.node("a").state = "pending";
  EXPECT_EQ(cluster.go().creations.size(), 1u);
}

// Labels that were edited by hand.
TEST(Dispatch, AnAdmittedNodeThatNoRunHasAdmittedIsTold) {
  DispatchedCluster cluster;
  FleetNode& node = cluster.add("a", "admitted");
  node.expires.reset(), node.tested.reset(), node.looked.reset(), node.tested_hour = "never";
  const Round round = cluster.go();
  EXPECT_THAT(why(round, "a"), HasSubstr("a passive look finds what is so"));
  EXPECT_EQ(made(round, JobKind::passive).size(), 1u);
  ASSERT_EQ(round.node_patches.size(), 1u);
  EXPECT_EQ(round.node_patches[0].labels.at(tested_hour_label), "0") << "or no active look would take it";
  // Of one that was open once the expiry is gone, and a look is not left to its turn.
  DispatchedCluster shut;
  FleetNode& refused = shut.add("b", "admitted");
  refused.expires.reset();
  EXPECT_EQ(made(shut.go(), JobKind::passive).size(), 0u) << "a minute after the last one";
  EXPECT_EQ(made(shut.go(600), JobKind::passive).size(), 1u);
  shut.policy.passive.reset();
  EXPECT_THAT(why(shut.round(), "b"),
              HasSubstr("kubectl label node b --overwrite mlc-bench.io/admission=pending"));
}

TEST(Dispatch, AJobThatWasEditedIsNotMadeAgainForEver) {
  DispatchedCluster cluster;
  cluster.add("a");
  const std::string name = cluster.go().creations.at(0).name;
  cluster.only_job().members.clear();
  const Round round = cluster.go();
  EXPECT_TRUE(made(round, JobKind::burnin).empty());
  EXPECT_THAT(why(round, "a"), HasSubstr("delete job " + name));
}

TEST(Dispatch, NodesWithoutTheLabelAreTold) {
  DispatchedCluster cluster;
  cluster.add("a", "admitted");
  cluster.fleet.unlabelled = {"x", "y", "z", "w"};
  EXPECT_THAT(cluster.round().notes, testing::Contains(HasSubstr("not looked at: x, y, z, more")));
}

TEST(Dispatch, NoJobStaysIdle) {
  DispatchedCluster cluster;
  cluster.add("a");
  cluster.go();
  EXPECT_TRUE(cluster.go(starts_within_s).deletions.empty());
  const Round round = cluster.go(120);
  ASSERT_EQ(round.deletions.size(), 1u);
  ASSERT_EQ(round.node_patches.size(), 1u);
  EXPECT_TRUE(cluster.fleet.jobs.empty());
  EXPECT_THAT(why(cluster.round(), "a"), HasSubstr("whose Pod never began (no place); again after"));
  // One that Kueue holds back is no idle one.
  DispatchedCluster queued;
  queued.add("a");
  queued.go();
  queued.only_job().suspended = true;
  EXPECT_TRUE(queued.go(86400).deletions.empty());
  EXPECT_THAT(why(queued.round(), "a"), HasSubstr("queue"));
}

TEST(Dispatch, AJobDeletedByHandIsMadeAgain) {
  DispatchedCluster cluster;
  cluster.add("a");
  const std::string name = cluster.go().creations.at(0).name;
  cluster.fleet.jobs.clear();
  EXPECT_EQ(cluster.go().creations.at(0).name, name);
}

TEST(Dispatch, WhatIsAmissForAllIsSaidOfEach) {
  DispatchedCluster cluster;
  cluster.add("a"), cluster.add("b", "fabric"), cluster.add("c", "perhaps");
  cluster.fleet.templates.clear();
  const Round round = cluster.round();
  EXPECT_TRUE(round.creations.empty());
  EXPECT_THAT(why(round, "a"), HasSubstr("mlc-bench.io/template=burnin"));
  EXPECT_THAT(why(round, "b"), HasSubstr("mlc-bench.io/template=fabric"));
  EXPECT_THAT(why(round, "c"), HasSubstr("'perhaps', which is none of"));
  cluster.policy.burnin.reset();
  EXPECT_THAT(why(cluster.round(), "a"), HasSubstr("no section 'burnin'"));
}

TEST(Dispatch, WithoutAFabricSectionANodeThatWaitsForItsFabricStageBeginsAnew) {
  DispatchedCluster cluster;
  cluster.policy.fabric.reset();
  cluster.add("a", "fabric");
  EXPECT_EQ(made(cluster.round(), JobKind::burnin).size(), 1u);
}

TEST(Dispatch, AttemptsThatWereEditedHoldNobodyBackForEver) {
  for (const std::string edited :
       {"", "{", "[]", "3", R"({"n":-1,"try":99999999999,"after":"soon"})", R"({"n":1e300})",
        R"({"n":2,"try":1,"after":"2999-01-01T00:00:00Z"})", R"({"n":1,"n":2})", "\x1b[2J"}) {
    DispatchedCluster cluster;
    cluster.add("a").attempts = read_attempts(edited);
    EXPECT_EQ(made(cluster.round(), JobKind::burnin).size(), 1u) << edited;
  }
  const AttemptsOf all{{JobKind::burnin, {2, 3, std::time_t{1'800'000'000}, true, 4}},
                       {JobKind::fabric, {1, 1, std::nullopt, false, 0}}};
  EXPECT_EQ(read_attempts(attempts_text(all)), all);
}

// Open nodes.

TEST(Dispatch, TheActiveLookTakesTheFreeNodeThatIsStalest) {
  DispatchedCluster cluster;
  for (int i = 0; i < 100; ++i)
    cluster.add("n" + std::to_string(i), "admitted").tested = cluster.fleet.now - 2 * 86400;
  auto jobs = made(cluster.go(), JobKind::health);
  ASSERT_EQ(jobs.size(), static_cast<std::size_t>(health_waiting_at_once));
  EXPECT_TRUE(jobs[0].members.empty());
  EXPECT_EQ(jobs[0].tested_before, cluster.fleet.now - 86400);
  EXPECT_TRUE(made(cluster.go(), JobKind::health).empty()) << "while these wait, more would wait too";
  for (auto& job : cluster.fleet.jobs)
    job.running = true;
  EXPECT_EQ(made(cluster.go(), JobKind::health).size(), static_cast<std::size_t>(health_waiting_at_once));
  // Nobody is free: they go, and for a while no more come.
  std::erase_if(cluster.fleet.jobs, [](const auto& job) { return job.running; });
  const Round gone = cluster.go(look_starts_within_s + 60);
  EXPECT_EQ(gone.deletions.size(), static_cast<std::size_t>(health_waiting_at_once));
  ASSERT_EQ(gone.template_patches.size(), 1u);
  EXPECT_TRUE(made(cluster.go(), JobKind::health).empty());
  EXPECT_FALSE(made(cluster.go(660), JobKind::health).empty());
}

TEST(Dispatch, APassiveLookOnEachNodeThatIsDueAndNoneTwice) {
  DispatchedCluster cluster;
  for (int i = 0; i < 20; ++i)
    cluster.add("n" + std::to_string(i), "admitted");
  EXPECT_TRUE(made(cluster.go(), JobKind::passive).empty());
  std::set<std::string> looked;
  cluster.fleet.now += 43200;
  for (int i = 0; i < 20; ++i)
    for (const auto& job : made(cluster.go(), JobKind::passive)) {
      EXPECT_TRUE(looked.insert(job.members.at(0).name).second);
      cluster.job(job.name)->running = true;
    }
  EXPECT_EQ(looked.size(), 20u);
  // A look that came to nothing comes again, later.
  for (auto& job : cluster.fleet.jobs)
    cluster.end(job, false);
  EXPECT_TRUE(made(cluster.go(), JobKind::passive).empty());
  cluster.fleet.now += 600;
  EXPECT_FALSE(made(cluster.go(), JobKind::passive).empty());
}

TEST(Dispatch, DoubtIsSettledByASecondRunOnThatNode) {
  DispatchedCluster cluster;
  cluster.add("a", "admitted").suspected = cluster.fleet.now;
  cluster.node("a").due = "true";
  const Round round = cluster.go();
  const auto jobs = made(round, JobKind::health);
  ASSERT_EQ(jobs.size(), 1u);
  EXPECT_EQ(jobs[0].members.at(0).name, "a");
  for (const auto& patch : round.node_patches)
    EXPECT_FALSE(patch.labels.contains(due_label)) << "the mark of the doubt stays";
}

TEST(Dispatch, ATimeThatIsOverIsAMarkAndNoMore) {
  DispatchedCluster cluster;
  cluster.add("a", "admitted").expires = cluster.fleet.now - 1;
  const Round round = cluster.go();
  ASSERT_EQ(round.node_patches.size(), 1u);
  EXPECT_EQ(round.node_patches[0].labels.at(due_label), "true");
  EXPECT_FALSE(round.node_patches[0].labels.contains(admission_label));
  cluster.node("a").expires = cluster.fleet.now + 86400;
  EXPECT_EQ(cluster.go().node_patches.at(0).labels.at(due_label), std::nullopt);
  EXPECT_TRUE(cluster.go().node_patches.empty());
}

// What may happen between two looks, in any order.
class Disorder {
 public:
  explicit Disorder(unsigned seed) : random_(seed) {
    cluster.policy.dispatch.at_once = 4, cluster.policy.dispatch.fabric_at_once = 2;
    for (int i = 0; i < 14; ++i)
      cluster.add("n" + std::to_string(i), std::array{"pending", "fabric", "admitted", "refused"}[pick(4)]);
  }
  std::size_t pick(int of) { return std::uniform_int_distribution<std::size_t>(0, of - 1)(random_); }
  bool chance(int of_hundred) { return static_cast<int>(pick(100)) < of_hundred; }

  void disturb() {
    cluster.fleet.now += static_cast<std::time_t>(pick(5) == 0 ? 1500 : 60);
    for (auto& job : cluster.fleet.jobs) {
      if (job.over()) continue;
      if (chance(30)) job.running = true, job.began = cluster.fleet.now;
      if (chance(3)) job.suspended = !job.suspended;
      if (!job.running || !chance(30)) continue;
      cluster.end(job, chance(50));
      for (const auto& member : job.members)
        for (auto& node : cluster.fleet.nodes)
          if (node.uid == member.uid && chance(70)) answer(job, node);
    }
    std::erase_if(cluster.fleet.jobs,
                  [&](const auto& job) { return (job.over() && chance(5)) || chance(2); });
    auto& node = cluster.fleet.nodes[pick(static_cast<int>(cluster.fleet.nodes.size()))];
    if (chance(4)) node.state = std::array{"pending", "fabric", "admitted", "refused", "", "odd"}[pick(6)];
    if (chance(3)) node.uid += "x";
    if (chance(3))
      node.attempts = read_attempts(chance(50) ? "" : R"({"n":9,"after":"2999-01-01T00:00:00Z"})");
    if (chance(3)) node.suspected = chance(50) ? std::optional(cluster.fleet.now) : std::nullopt;
  }
  DispatchedCluster cluster;

 private:
  void answer(const DispatchJob& job, FleetNode& node) {
    if (job.kind == JobKind::passive) {
      node.looked = cluster.fleet.now;
    } else {
      node.state = chance(15) ? "refused" : job.kind == JobKind::burnin ? "fabric" : "admitted";
      if (node.state == "admitted")
        node.tested = cluster.fleet.now, node.expires = cluster.fleet.now + 604800;
    }
  }
  std::mt19937 random_;
};

TEST(Dispatch, InAnyDisorderNothingIsMadeTwiceAndEachNodeHasOneReason) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    Disorder disorder(seed);
    DispatchedCluster& cluster = disorder.cluster;
    for (int step = 0; step < 300; ++step) {
      disorder.disturb();
      const Round round = cluster.round();
      std::map<std::string, int> lines;
      for (const auto& line : round.waiting)
        ++lines[line.name];
      for (const auto& node : cluster.fleet.nodes)
        ASSERT_EQ(lines[node.name], node.state == "admitted" && node.expires ? 0 : 1)
            << seed << " " << step << " " << node.name << " " << node.state << ": " << why(round, node.name);
      std::set<std::string> names;
      for (const auto& job : round.creations) {
        ASSERT_TRUE(names.insert(job.name).second) << job.name;
        ASSERT_EQ(cluster.job(job.name), nullptr) << job.name << " is there already";
        for (const auto& member : job.members)
          for (const auto& other : cluster.fleet.jobs)
            ASSERT_FALSE(other.kind == job.kind && !other.over() && other.member(member.uid) != nullptr &&
                         std::ranges::find(round.deletions, other.uid, &DeleteJob::uid) ==
                             round.deletions.end())
                << "two for " << member.name;
      }
      // Broken off somewhere, or done by two who saw the same.
      if (disorder.chance(20))
        cluster.carry_out(round, static_cast<int>(disorder.pick(6)));
      else
        cluster.carry_out(round);
      if (disorder.chance(20)) cluster.carry_out(round);
      const auto at_work = std::ranges::count_if(
          cluster.fleet.jobs, [](const auto& job) { return job.kind == JobKind::burnin && !job.over(); });
      ASSERT_LE(at_work, 4 + 4) << "more than the policy allows, beside those that are being removed";
    }
  }
}

// Killed after each of its steps, and the rest done by the next: as if it had been done at once.
TEST(Dispatch, ARoundMayBeBrokenOffAnywhere) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    Disorder disorder(seed);
    for (int step = 0; step < 60; ++step)
      disorder.disturb(), disorder.cluster.carry_out(disorder.cluster.round());
    disorder.disturb();
    const Round round = disorder.cluster.round();
    DispatchedCluster whole = disorder.cluster;
    const int steps = whole.carry_out(round);
    whole.carry_out(whole.round());
    for (int kill = 0; kill <= steps; ++kill) {
      DispatchedCluster broken = disorder.cluster;
      broken.carry_out(round, kill);
      for (int i = 0; i < 2; ++i)
        broken.carry_out(broken.round());
      std::set<std::string> expected, found;
      for (const auto& job : whole.fleet.jobs)
        if (job.kind != JobKind::health) expected.insert(job.name);
      for (const auto& job : broken.fleet.jobs)
        if (job.kind != JobKind::health) found.insert(job.name);
      EXPECT_EQ(found, expected) << seed << ": killed after " << kill << " of " << steps;
      for (std::size_t i = 0; i < whole.fleet.nodes.size(); ++i)
        EXPECT_EQ(broken.fleet.nodes[i].attempts, whole.fleet.nodes[i].attempts) << seed << " " << kill;
    }
  }
}

}  // namespace
}  // namespace mlc
