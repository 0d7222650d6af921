// Eight weeks of a cluster of 1,000 healthy nodes, of which about 95 % train, in Jobs of 1 to 20 days; the
// rounds are the dispatcher's own, carried out in simulated time. Prints the figures that docs/dispatch.md
// shows.
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <random>

#include "tests/k8s/unit/dispatched_cluster.hpp"

namespace mlc {
namespace {

constexpr double day_s = 86400, step_s = 300;
constexpr double burnin_s = 40 * 60, fabric_s = 20 * 60, health_s = 10 * 60, passive_s = 60;

class Weeks {
 public:
  explicit Weeks(int nodes) : random_(20260101) {
    for (int i = 0; i < nodes; ++i)
      cluster.add("n" + std::to_string(10000 + i));
    machines_.resize(nodes);
    began_ = cluster.fleet.now;
  }

  void run(double days) {
    for (double t = 0; t < days * day_s; t += step_s) {
      cluster.fleet.now += static_cast<std::time_t>(step_s);
      train();
      place_pods();
      finish_pods();
      std::erase_if(cluster.fleet.jobs, [&](const DispatchJob& job) {
        return job.over() && now() - *job.finished > 600;  // ttlSecondsAfterFinished of the looks
      });
      const Round round = cluster.round();
      steps += cluster.carry_out(round);
      misses += static_cast<int>(round.deletions.size());
      for (const auto& job : round.creations)
        ++made[to_string(job.kind)];
      watch();
    }
  }

  DispatchedCluster cluster;
  int steps = 0, misses = 0, closed = 0, most_due = 0;
  double all_open_after_s = 0, longest_unlooked_s = 0, longest_untested_s = 0, busy = 0, rounds = 0,
         free_untested = 0;
  std::map<std::string, int> made;

 private:
  struct Machine {
    std::time_t free_until = 0, busy_until = 0;  // training begins and ends
    std::string pod;                             // of a Job of ours that takes its GPUs
    bool opened = false;
  };

  std::time_t now() const { return cluster.fleet.now; }
  double days(double least, double most) {
    return std::uniform_real_distribution<double>(least, most)(random_) * day_s;
  }

  void train() {
    for (std::size_t i = 0; i < machines_.size(); ++i) {
      Machine& machine = machines_[i];
      if (cluster.fleet.nodes[i].state != "admitted" || now() < machine.busy_until) continue;
      if (machine.free_until < machine.busy_until) {
        // 95 % of the time: a gap of 5/95 of the mean Job.
        const double gap = std::exponential_distribution<double>(95 / (5 * 10.5 * day_s))(random_);
        machine.free_until = machine.busy_until + static_cast<std::time_t>(gap);
      }
      if (now() < machine.free_until) continue;
      // Whoever trains goes first: a look is displaced and gives nothing.
      if (auto* job = cluster.job(machine.pod); job != nullptr && !job->over()) cluster.end(*job, false);
      machine.pod.clear();
      machine.busy_until = now() + static_cast<std::time_t>(days(1, 20));
    }
  }

  bool free(std::size_t i) const { return now() >= machines_[i].busy_until && machines_[i].pod.empty(); }
  std::size_t place_of(const std::string& uid) const { return places_.at(uid); }

  void place_pods() {
    if (places_.empty())
      for (std::size_t i = 0; i < machines_.size(); ++i)
        places_[cluster.fleet.nodes[i].uid] = i;
    for (auto& job : cluster.fleet.jobs) {
      if (job.over() || job.running) continue;
      if (job.kind == JobKind::passive)
        begin(job, {});
      else if (job.kind == JobKind::health)
        place_look(job);
      else
        place_group(job);
    }
  }
  void begin(DispatchJob& job, const std::vector<std::size_t>& on) {
    job.running = true, job.began = now();
    for (const auto i : on)
      machines_[i].pod = job.name;
    on_[job.name] = on;
  }
  // As the scheduler would, by the preferences of the Job: the stalest of those that are free.
  void place_look(DispatchJob& job) {
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < machines_.size(); ++i) {
      const FleetNode& node = cluster.fleet.nodes[i];
      if (node.state != "admitted" || !free(i) || *node.tested > now() - static_cast<std::time_t>(day_s))
        continue;
      if (!best || *node.tested < *cluster.fleet.nodes[*best].tested) best = i;
    }
    if (best) begin(job, {*best});
  }
  void place_group(DispatchJob& job) {
    std::vector<std::size_t> on;
    for (const auto& member : job.members)
      if (free(place_of(member.uid))) on.push_back(place_of(member.uid));
    if (on.size() < job.members.size()) return;
    const auto wanted = static_cast<std::size_t>(cluster.pods.at(job.name));
    for (std::size_t i = 0; i < machines_.size() && on.size() < wanted; ++i)
      if (cluster.fleet.nodes[i].state == "admitted" && free(i)) on.push_back(i);
    if (on.size() >= wanted) begin(job, on);
  }

  void finish_pods() {
    for (auto& job : cluster.fleet.jobs) {
      if (job.over() || !job.running) continue;
      const double takes = job.kind == JobKind::burnin   ? burnin_s
                           : job.kind == JobKind::fabric ? fabric_s
                           : job.kind == JobKind::health ? health_s
                                                         : passive_s;
      if (static_cast<double>(now() - *job.began) < takes) continue;
      cluster.end(job);
      for (const auto i : on_[job.name])
        pass(job.kind, i), machines_[i].pod.clear();
      if (job.kind == JobKind::passive) pass(job.kind, place_of(job.members.at(0).uid));
    }
  }
  // What the run publishes on its node.
  void pass(JobKind kind, std::size_t i) {
    FleetNode& node = cluster.fleet.nodes[i];
    const auto until = now() + static_cast<std::time_t>(cluster.policy.admit.valid_for_s);
    if (kind == JobKind::burnin) {
      node.state = "fabric";
    } else if (kind == JobKind::passive) {
      node.looked = now();
      node.expires = std::max(
          *node.expires,
          std::min(until, *node.tested + static_cast<std::time_t>(cluster.policy.admit.extended_for_s)));
    } else {
      node.state = "admitted", node.tested = now(), node.expires = until;
      machines_[i].opened = true;
    }
  }

  void watch() {
    int due = 0, open = 0;
    ++rounds;
    for (std::size_t i = 0; i < machines_.size(); ++i) {
      const FleetNode& node = cluster.fleet.nodes[i];
      if (machines_[i].opened && node.state != "admitted") ++closed;
      if (node.state != "admitted") continue;
      ++open;
      if (now() < machines_[i].busy_until)
        ++busy;
      else if (static_cast<double>(now() - *node.tested) > day_s + 3600)
        ++free_untested;
      if (node.due == "true") ++due;
      const double unlooked = static_cast<double>(now() - std::max(node.looked.value_or(0), *node.tested));
      longest_unlooked_s = std::max(longest_unlooked_s, unlooked);
      longest_untested_s = std::max(longest_untested_s, static_cast<double>(now() - *node.tested));
    }
    most_due = std::max(most_due, due);
    if (all_open_after_s == 0 && open == static_cast<int>(machines_.size()))
      all_open_after_s = static_cast<double>(now() - began_);
  }

  std::mt19937 random_;
  std::vector<Machine> machines_;
  std::map<std::string, std::size_t> places_;
  std::map<std::string, std::vector<std::size_t>> on_;
  std::time_t began_ = 0;
};

TEST(DispatchWeeks, NoHealthyNodeIsMarkedDownForWorking) {
  constexpr int nodes = 1000;
  Weeks weeks(nodes);
  weeks.run(56);
  const double minutes = weeks.rounds * step_s / 60;
  std::printf("nodes                                %d\n", nodes);
  std::printf("all open after                       %.1f h\n", weeks.all_open_after_s / 3600);
  std::printf("nodes that train                     %.1f %%\n", 100 * weeks.busy / weeks.rounds / nodes);
  std::printf("open nodes that went out of True     %d\n", weeks.closed);
  std::printf("longest without a passive look       %.1f h\n", weeks.longest_unlooked_s / 3600);
  std::printf("longest without an active one        %.1f days\n", weeks.longest_untested_s / day_s);
  std::printf("free, and due for more than an hour  %.3f nodes on average\n",
              weeks.free_untested / weeks.rounds);
  std::printf("most nodes due at a time             %d\n", weeks.most_due);
  for (const auto& [kind, count] : weeks.made)
    std::printf("Jobs: %-8s                       %d\n", kind.c_str(), count);
  std::printf("Jobs that found no place             %d\n", weeks.misses);
  std::printf("writes by the dispatcher             %.2f a minute\n", weeks.steps / minutes);
  EXPECT_EQ(weeks.closed, 0);
  EXPECT_GT(weeks.all_open_after_s, 0);
  EXPECT_LT(weeks.longest_unlooked_s, day_s);
  EXPECT_GT(weeks.busy / weeks.rounds / nodes, 0.9) << "it is a cluster at work";
  EXPECT_LT(weeks.longest_untested_s, weeks.cluster.policy.admit.extended_for_s);
  EXPECT_LT(weeks.free_untested / weeks.rounds, 2) << "free nodes are looked at";
}

}  // namespace
}  // namespace mlc
