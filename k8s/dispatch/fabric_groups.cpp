// Nodes that passed alone meet each other and known good ones. Which of the admitted nodes are free only the
// scheduler knows: so a group has places for witnesses, and the Pods that are left over when the new nodes
// have theirs go to whatever admitted node has all its GPUs free.
#include <algorithm>
#include <tuple>

#include "k8s/dispatch/round_state.hpp"
#include "reports/record/moment.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

std::string needs_text(const RoundState& state, int others, int witnesses) {
  return "needs " + std::to_string(state.policy.dispatch.partners) + " partners (dispatch.partners); " +
         std::to_string(others) + (others == 1 ? " other node is" : " other nodes are") + " ready and " +
         std::to_string(witnesses) + (witnesses == 1 ? " is" : " are") + " admitted";
}

// Nodes that could take part now, those that passed first in front.
std::vector<const FleetNode*> ready_nodes(RoundState& state) {
  std::vector<const FleetNode*> ready;
  for (const auto& node : state.fleet.nodes) {
    if (node.state != "fabric" || !state.policy.fabric) continue;
    if (std::ranges::any_of(state.round.waiting, [&](const auto& line) { return line.name == node.name; }))
      continue;  // on its way back to the local stages
    const Attempts& record = state.record(node, JobKind::fabric);
    if (const auto* job = state.at_work(node))
      state.wait(node, how_it_is(*job));
    else if (const auto lack = state.lack(JobKind::fabric); !lack.empty())
      state.wait(node, lack);
    else if (record.after && *record.after > state.now &&
             static_cast<double>(*record.after - state.now) <= state.policy.dispatch.retry_most_s)
      state.wait(
          node,
          (record.misses == 1 ? "one fabric Job" : std::to_string(record.misses) + " fabric Jobs") +
              " in a row " +
              (record.idle.empty() ? "without a verdict" : "whose Pods never began (" + record.idle + ")") +
              "; again after " + rfc3339(*record.after) + ", or at once: kubectl annotate node " + node.name +
              " --overwrite " + attempts_annotation + "=" + attempts_anew);
    else
      ready.push_back(&node);
  }
  std::ranges::sort(ready, {}, [&](const FleetNode* node) {
    return std::tuple(state.record(*node, JobKind::fabric).misses, node->tested.value_or(0), node->name);
  });
  return ready;
}

int free_witnesses(const RoundState& state) {
  return static_cast<int>(std::ranges::count_if(state.fleet.nodes, [&](const FleetNode& node) {
    // As the Job's affinity asks (job_object.cpp).
    return node.state == "admitted" && node.due.empty() && !node.suspected && state.at_work(node) == nullptr;
  }));
}

CreateJob group_of(const RoundState& state, const std::vector<const FleetNode*>& nodes, int witnesses) {
  // Named after the node in front: two dispatchers that see the same fleet make one group.
  const FleetNode& front = *nodes.front();
  CreateJob job{.kind = JobKind::fabric,
                .name = job_name_of(JobKind::fabric, front, state.next_number(front, JobKind::fabric)),
                .run_id = {},
                .members = {},
                .hosts = {},
                .pods = static_cast<int>(nodes.size()) + witnesses,
                .witnesses = witnesses > 0,
                .tested_before = {},
                .why = {}};
  job.run_id = job.name;
  for (const FleetNode* node : nodes) {
    job.members.push_back({node->name, node->uid, state.next_number(*node, JobKind::fabric)});
    job.hosts.push_back(node->hostname);
  }
  job.why = "fabric stage of " + std::to_string(nodes.size()) + " new nodes and " +
            std::to_string(witnesses) + " witnesses";
  return job;
}

}  // namespace

void plan_fabric_groups(RoundState& state) {
  const DispatchPolicy& policy = state.policy.dispatch;
  std::vector<const FleetNode*> ready = ready_nodes(state);
  const int witnesses = free_witnesses(state);
  while (!ready.empty()) {
    const int count = static_cast<int>(ready.size());
    // Each new node meets so many others. Witnesses fill up what the new ones cannot give each other, and
    // where there are any, one group has enough of them to tell who is at fault. After a group that did not
    // come together, perhaps since none was free, the next does without them where it can.
    const bool alone = state.record(*ready.front(), JobKind::fabric).misses % 2 == 1;
    int seats = std::min(witnesses, policy.partners);
    if (alone && count > policy.partners) seats = 0;
    const int take = std::min(count, policy.fabric_nodes - seats);
    const bool enough = take + seats > policy.partners;
    const std::time_t since = ready.front()->tested.value_or(0);
    const bool full = take == policy.fabric_nodes - seats;
    const std::time_t gathered = since + static_cast<std::time_t>(policy.gather_s);
    std::string why;
    if (!enough)
      why = needs_text(state, count - 1, witnesses);
    else if (!full && since <= state.now && gathered > state.now)
      why = "waits for other new nodes until " + rfc3339(gathered);
    else if (state.unfinished(JobKind::fabric) >= policy.fabric_at_once)
      why = "all " + std::to_string(policy.fabric_at_once) + " places (dispatch.fabric_at_once) are taken";
    if (!why.empty()) {
      for (const FleetNode* node : ready)
        state.wait(*node, why);
      return;
    }
    const std::vector<const FleetNode*> group(ready.begin(), ready.begin() + take);
    ready.erase(ready.begin(), ready.begin() + take);
    CreateJob job = group_of(state, group, seats);
    if (state.is_taken(job.name)) {
      for (const FleetNode* node : group)
        state.wait(*node, edited_text(state, job.name));
      continue;
    }
    for (const FleetNode* node : group)
      state.wait(*node, "it is its turn: Job " + job.name);
    state.create(std::move(job));
  }
}

}  // namespace mlc
