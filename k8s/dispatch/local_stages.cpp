// Nodes that are pending or were refused: one Job each, at most so many at a time.
#include <algorithm>
#include <tuple>

#include "k8s/admission/admission.hpp"
#include "k8s/dispatch/round_state.hpp"
#include "reports/record/moment.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

// So many fabric stages without an answer, and the local ones are run anew: what they left on the node may be
// of another policy, program or boot.
constexpr int fabric_misses_at_most = 3;

bool is_local(const RoundState& state, const FleetNode& node) {
  return node.state == "pending" || node.state == "refused" ||
         (node.state == "fabric" && !state.policy.fabric);
}

// Since when it can be tried; nothing: at once.
std::optional<std::time_t> held_until(const RoundState& state, const FleetNode& node) {
  const Attempts& record = state.record(node, JobKind::burnin);
  if (!record.after || *record.after <= state.now) return std::nullopt;
  if (record.refused && node.state == "pending") return std::nullopt;  // repaired, an operator says
  // No back-off is longer than the policy's longest: what says so was edited.
  if (static_cast<double>(*record.after - state.now) > state.policy.dispatch.retry_most_s)
    return std::nullopt;
  return record.after;
}

void back_to_local(RoundState& state, const FleetNode& node) {
  const Attempts fabric = state.record(node, JobKind::fabric);
  Attempts local = state.record(node, JobKind::burnin);
  ++local.misses, ++local.answers, local.refused = false,
                                   local.next = state.next_number(node, JobKind::burnin);
  local.after = state.now + static_cast<std::time_t>(back_off_s(state.policy.dispatch, local.misses));
  state.set_record(node, JobKind::burnin, local, "the local stages run anew after " + rfc3339(*local.after));
  state.set_record(node, JobKind::fabric, {.next = fabric.next},
                   std::to_string(fabric.misses) + " fabric Jobs in a row without a verdict");
  state.label(node, admission_label, "pending", "back to the local stages");
}

std::string tried_text(const RoundState& state, const FleetNode& node, const Attempts& record,
                       std::time_t until) {
  const std::string times = record.misses == 1 ? "one Job" : std::to_string(record.misses) + " Jobs in a row";
  const std::string begin_anew = ", or at once: kubectl annotate node " + node.name + " --overwrite " +
                                 attempts_annotation + "=" + attempts_anew;
  if (record.misses == 0) return "held back by its annotation until " + rfc3339(until) + begin_anew;
  if (node.state == "refused")
    return "refused; tested again after " + rfc3339(until) +
           ", or at once when repaired: kubectl label node " + node.name + " --overwrite " + admission_label +
           "=pending";
  const auto* job = state.latest(node, JobKind::burnin);
  const std::string logs =
      job == nullptr || job->passed
          ? ""
          : " (kubectl -n " + state.policy.dispatch.job_namespace + " logs job/" + job->name + ")";
  return times +
         (record.idle.empty() ? " without a verdict" + logs
                              : " whose Pod never began (" + record.idle + ")") +
         "; again after " + rfc3339(until) + begin_anew;
}

// Empty where it may begin.
std::string hindrance(const RoundState& state, const FleetNode& node) {
  if (const auto* job = state.latest(node, JobKind::burnin);
      job != nullptr && !job->over() && !state.removed(*job))
    return how_it_is(*job);
  if (const auto* job = state.at_work(node)) return "Job " + job->name + " is still at work on it";
  if (auto lack = state.lack(JobKind::burnin); !lack.empty()) return lack;
  if (const auto until = held_until(state, node))
    return tried_text(state, node, state.record(node, JobKind::burnin), *until);
  return {};
}

}  // namespace

void plan_local_stages(RoundState& state) {
  std::vector<const FleetNode*> line;
  for (const auto& node : state.fleet.nodes) {
    if (node.state == "fabric" && state.policy.fabric &&
        state.record(node, JobKind::fabric).misses >= fabric_misses_at_most &&
        state.at_work(node) == nullptr) {
      back_to_local(state, node);
      state.wait(node, "its fabric Jobs came to no verdict: its local stages are run anew");
    } else if (is_local(state, node)) {
      if (const auto why = hindrance(state, node); !why.empty())
        state.wait(node, why);
      else
        line.push_back(&node);
    } else if (node.state == "admitted" && !node.expires) {
      state.wait(node, "labelled admitted, and no run has said until when: " +
                           (state.lack(JobKind::passive).empty()
                                ? std::string("a passive look finds what is so")
                                : "burn it in: kubectl label node " + node.name + " --overwrite " +
                                      admission_label + "=pending"));
    } else if (node.state != "admitted" && node.state != "fabric") {
      state.wait(node, "the label " + std::string(admission_label) + " says '" + printable(node.state, 70) +
                           "', which is none of pending, fabric, admitted, refused; kubectl label node " +
                           node.name + " --overwrite " + admission_label + "=pending");
    }
  }
  // Those that were tried least go first, and of them those that have waited longest.
  const auto rank = [&](const FleetNode* node) {
    return std::tuple(state.record(*node, JobKind::burnin).misses, node->state == "refused", node->created,
                      node->name);
  };
  std::ranges::sort(line, {}, rank);
  int ahead = 0;
  for (const FleetNode* node : line) {
    if (state.unfinished(JobKind::burnin) >= state.policy.dispatch.at_once) {
      state.wait(*node, "all " + std::to_string(state.policy.dispatch.at_once) +
                            " places (dispatch.at_once) are taken; " + std::to_string(ahead++) +
                            " before it in the line");
      continue;
    }
    const int number = state.next_number(*node, JobKind::burnin);
    const std::string name = job_name_of(JobKind::burnin, *node, number);
    if (state.is_taken(name)) {
      state.wait(*node, edited_text(state, name));
      continue;
    }
    state.create({.kind = JobKind::burnin,
                  .name = name,
                  .run_id = run_id_of(state, *node, JobKind::burnin),
                  .members = {{node->name, node->uid, number}},
                  .hosts = {node->hostname},
                  .why = "local stages of " + node->name});
    state.wait(*node, "it is its turn: Job " + name);
  }
}

}  // namespace mlc
