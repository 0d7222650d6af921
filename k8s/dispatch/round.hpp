// One round of the dispatcher: of what is there, what is to be done next, and why each node waits. Pure, and
// without memory: whatever is remembered is in annotations and in the Jobs themselves. So a round may be
// broken off between any two of its steps, be done twice, or be done by two dispatchers at once: Jobs have
// the same names, and records the same words.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "k8s/admission/node_patch.hpp"
#include "k8s/dispatch/fleet.hpp"
#include "validators/policy/policy.hpp"

namespace mlc {

// A Pod that has not begun by then has no place: its Job goes, and the node is tried later. Long enough for
// a node to pull an image with NCCL in it.
inline constexpr double starts_within_s = 900;
// Of looks, for which the node must be free now.
inline constexpr double look_starts_within_s = 300;
// Jobs that wait for any free node tell all the same.
inline constexpr int health_waiting_at_once = 4;
inline constexpr double ipam_every_s = 3600;

struct PatchNode {
  std::string name, uid;
  Edits labels, annotations;
  std::string why;
};

struct PatchTemplate {
  JobKind kind = JobKind::health;
  Attempts attempts;
  std::string why;
};

struct DeleteJob {
  std::string name, uid, resource_version, why;
  std::vector<JobMember> members = {};
};

struct CreateJob {
  JobKind kind = JobKind::burnin;
  std::string name;
  std::string run_id;              // of a run that goes on in the next Job; empty: each is one of its own
  std::vector<JobMember> members;  // of a fabric Job: the new ones; witnesses are the scheduler's choice
  std::vector<std::string> hosts;  // their hostname labels
  int pods = 1;
  bool witnesses = false;                    // admitted nodes may take the places that are left
  std::optional<std::time_t> tested_before;  // any admitted node that is free and was tested before
  std::string why;
};

// Why a node that is not admitted waits.
struct NodeLine {
  std::string name, state, why;
};

struct Round {
  // In this order: a record comes before the deletion of what it records, and that before anything new.
  std::vector<PatchNode> node_patches;
  std::vector<PatchTemplate> template_patches;
  std::vector<DeleteJob> deletions;
  std::vector<CreateJob> creations;
  std::vector<NodeLine> waiting;
  std::map<std::string, int> states;  // how many nodes of each admission label
  std::vector<std::string> notes;     // what is amiss for all of them
};

Round next_round(const Fleet& fleet, const Policy& policy);

// As a screen shows it.
std::string round_text(const Round& round);

}  // namespace mlc
