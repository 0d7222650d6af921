// A cluster that a dispatcher's rounds are carried out on, as the API server would: names are given once, and
// what has changed since it was read is left alone.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <string>

#include "k8s/admission/admission.hpp"
#include "k8s/dispatch/round.hpp"

namespace mlc {

class DispatchedCluster {
 public:
  Fleet fleet;
  Policy policy;
  std::map<std::string, int> pods;  // of each Job, by its name

  DispatchedCluster() {
    fleet.now = 1'800'000'000;
    policy.name = "p";
    policy.burnin.emplace(), policy.health.emplace(), policy.passive.emplace(), policy.fabric.emplace();
    for (const JobKind kind : {JobKind::burnin, JobKind::health, JobKind::passive, JobKind::fabric})
      fleet.templates[kind] = {"mlc-" + to_string(kind), "uid-" + to_string(kind), {}, {}};
  }

  FleetNode& add(const std::string& name, const std::string& state = "pending") {
    FleetNode node;
    node.name = node.hostname = name, node.uid = "uid-" + name, node.state = state;
    node.created = fleet.now - 3600;
    if (state == "admitted")
      node.tested = node.looked = fleet.now - 60, node.expires = fleet.now + 7 * 86400,
      node.tested_hour = std::to_string(*node.tested / 3600);
    return fleet.nodes.emplace_back(node);
  }
  FleetNode& node(const std::string& name) { return *std::ranges::find(fleet.nodes, name, &FleetNode::name); }
  DispatchJob* job(const std::string& name) {
    const auto found = std::ranges::find(fleet.jobs, name, &DispatchJob::name);
    return found == fleet.jobs.end() ? nullptr : &*found;
  }
  DispatchJob& only_job() {
    if (fleet.jobs.size() != 1) throw std::logic_error(std::to_string(fleet.jobs.size()) + " Jobs");
    return fleet.jobs.front();
  }

  Round round() const { return next_round(fleet, policy); }
  // The first `steps` of what it says; by default all.
  int carry_out(const Round& round, int steps = 1 << 30) {
    int done = 0;
    const auto one = [&](auto&& act) {
      if (done < steps) act(), ++done;
    };
    for (const auto& patch : round.node_patches)
      one([&] { apply(patch); });
    for (const auto& patch : round.template_patches)
      one([&] { fleet.templates.at(patch.kind).attempts = patch.attempts; });
    for (const auto& gone : round.deletions)
      one([&] { std::erase_if(fleet.jobs, [&](const auto& job) { return job.uid == gone.uid; }); });
    for (const auto& job : round.creations)
      one([&] { create(job); });
    return done;
  }
  Round go(double seconds = 60) {
    fleet.now += static_cast<std::time_t>(seconds);
    Round done = round();
    carry_out(done);
    return done;
  }
  // Its Pod runs, or has run.
  void end(DispatchJob& job, bool answered = true) {
    job.running = true, job.finished = fleet.now, job.answered = answered;
  }

 private:
  void apply(const PatchNode& patch) {
    for (auto& one : fleet.nodes) {
      if (one.uid != patch.uid) continue;
      for (const auto& [key, value] : patch.labels)
        (key == admission_label ? one.state
         : key == due_label     ? one.due
                                : one.tested_hour) = value.value_or("");
      for (const auto& [key, value] : patch.annotations)
        if (key == attempts_annotation) one.attempts = read_attempts(value.value_or("")), one.anew = false;
    }
  }
  void create(const CreateJob& job) {
    if (this->job(job.name) != nullptr) return;  // 409
    DispatchJob made;
    made.name = job.name, made.uid = "uid-" + job.name + "-" + std::to_string(++made_);
    made.kind = job.kind, made.members = job.members, made.created = fleet.now;
    made.configured_by = fleet.templates.at(job.kind).configured_by;
    pods[job.name] = job.pods;
    fleet.jobs.push_back(made);
  }

  int made_ = 0;
};

// Of a node that waits; all its lines.
inline std::string why(const Round& round, const std::string& name) {
  std::string text;
  for (const auto& line : round.waiting)
    if (line.name == name) text += (text.empty() ? "" : " AND ") + line.why;
  return text;
}

inline std::vector<CreateJob> made(const Round& round, JobKind kind) {
  std::vector<CreateJob> jobs;
  for (const auto& job : round.creations)
    if (job.kind == kind) jobs.push_back(job);
  return jobs;
}

}  // namespace mlc
