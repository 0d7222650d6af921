// What the parts of a round share: who is where, and what is decided so far.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "k8s/dispatch/round.hpp"

namespace mlc {

enum class Came { to_no_place, to_no_verdict, to_a_verdict };

class RoundState {
 public:
  RoundState(const Fleet& of, const Policy& by, Round& into);

  const Fleet& fleet;
  const Policy& policy;
  Round& round;
  const std::time_t now;

  // Nothing amiss: empty. Else why no Job of this kind can be made.
  std::string lack(JobKind kind) const;
  // The Job of the highest number that names this node; null where there is none.
  const DispatchJob* latest(const FleetNode& node, JobKind kind) const;
  // A Job that is not over and puts load on this node.
  const DispatchJob* at_work(const FleetNode& node) const;
  const FleetNode* node_of(const std::string& uid) const;
  int unfinished(JobKind kind) const;
  // By a Job that no longer says whose it is: it was edited.
  bool is_taken(const std::string& job) const;
  bool removed(const DispatchJob& job) const { return removed_.contains(job.uid); }
  void found_no_place(const DispatchJob& job) { idle_.insert(job.uid); }
  bool has_found_no_place(const DispatchJob& job) const { return idle_.contains(job.uid); }

  // The record as this round leaves it.
  const Attempts& record(const FleetNode& node, JobKind kind) const;
  int next_number(const FleetNode& node, JobKind kind) const;
  // A try that opened nothing ended at `at`. After a verdict the next run is a new one.
  void miss(const FleetNode& node, JobKind kind, int number, std::time_t at, Came came,
            const std::string& idle_why = {});
  // A Pod of ours that could go anywhere got this node by `at`, and nothing came of it: the next goes
  // elsewhere. `idle_why`: what keeps it from beginning there; empty where it began.
  void spent(const std::string& node, std::time_t at, const std::string& idle_why);
  // Pods of ours do not begin there, as far as is known: it is no witness.
  bool begins_nothing(const FleetNode& node) const;
  // One that passed; what the node is since then is somebody's word, or another run's.
  void done(const FleetNode& node, JobKind kind, int number, std::time_t at);
  void set_record(const FleetNode& node, JobKind kind, const Attempts& attempts, const std::string& why);
  void label(const FleetNode& node, const std::string& key, const std::optional<std::string>& value,
             const std::string& why);
  void remove(const DispatchJob& job, const std::string& why);
  void create(CreateJob job);
  void wait(const FleetNode& node, const std::string& why);
  void write_patches();

 private:
  std::map<std::string, AttemptsOf> records_;  // by uid, of nodes that have one
  std::map<std::string, PatchNode> patches_;
  std::set<std::string> recorded_, removed_, idle_;
  std::map<std::string, const FleetNode*> nodes_;
  std::map<std::pair<std::string, JobKind>, const DispatchJob*> latest_;
  std::map<JobKind, int> unfinished_;

  void refused_by_fabric(const FleetNode& node, int next, std::time_t at);
};

// Names the run of a node's next Job: the same until a run has ended with an answer, so that one that was
// killed goes on.
std::string run_id_of(const RoundState& state, const FleetNode& node, JobKind kind);
std::string job_name_of(JobKind kind, const FleetNode& node, int number);

// Refused and still open to work: its quarantine was put off, since too many had failed in that hour.
bool owes_quarantine(const RoundState& state, const FleetNode& node);

// What a Job that is not over does, for the line of its node.
std::string how_it_is(const DispatchJob& job);

// Of a Job that is in the way of another, whose name it has.
std::string edited_text(const RoundState& state, const std::string& job);

// The parts, in this order.
void account_for_jobs(RoundState& state);
void plan_local_stages(RoundState& state);
void plan_fabric_groups(RoundState& state);
void plan_looks(RoundState& state);

}  // namespace mlc
