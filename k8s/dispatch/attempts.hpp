// What the dispatcher remembers of a node, in the annotation mlc-bench.io/attempts: how often a kind of Job
// came to nothing, when it is tried again, and the number of the next try. Pure.
//
//   {"n":2,"try":3,"after":"2026-01-02T03:04:05Z","fabric":{"n":1,"try":1,"after":"..."}}
//
// The first three are of the local stages, which is what an operator asks about.
#pragma once

#include <ctime>
#include <map>
#include <optional>
#include <string>

#include "validators/policy/dispatch_policy.hpp"

namespace mlc {

enum class JobKind { burnin, health, passive, fabric, ipam };

std::string to_string(JobKind kind);
std::optional<JobKind> job_kind_of(const std::string& text);

// A number as large as this was not counted by us.
inline constexpr int most_tries = 1'000'000;

struct Attempts {
  int misses = 0;                    // Jobs in a row without a verdict, or of the local stages with a refusal
  int next = 0;                      // number of the next try; a Job of a lower number is accounted for
  std::optional<std::time_t> after;  // not before
  bool refused = false;  // the last one refused the node: "pending" since then is an operator's word
  // Runs that ended with an answer: the next one is a new run, and does not go on where that one was.
  int answers = 0;
  std::string idle;    // why no Pod of the last one began, in the scheduler's or the kubelet's words
  bool stuck = false;  // it had the node, and did not begin there
  bool operator==(const Attempts&) const = default;
};

using AttemptsOf = std::map<JobKind, Attempts>;

// What was edited by hand into something else counts as nothing tried yet.
AttemptsOf read_attempts(const std::string& annotation);
std::string attempts_text(const AttemptsOf& attempts);

// Doubled with each miss, up to the policy's longest.
double back_off_s(const DispatchPolicy& policy, int misses);

// A node that was not free, or began no Pod, is tried again no later: who has it now may be gone by then, and
// what keeps Pods from beginning is rarely the node's own.
inline constexpr double no_place_wait_s = 3600;

// From the end of the last try to `after`.
double wait_s(const DispatchPolicy& policy, const Attempts& attempts);

}  // namespace mlc
