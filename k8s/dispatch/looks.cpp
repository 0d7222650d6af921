// Nodes that are open: the passive look on each, busy or not; the active one where GPUs are free; and the
// mark of those whose time is over.
#include <algorithm>
#include <cmath>
#include <tuple>

#include "k8s/dispatch/round_state.hpp"
#include "reports/record/moment.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

// Marks of one round: after an upgrade the whole fleet wants one.
constexpr std::size_t marks_at_once = 100;
constexpr double hour_s = 3600;

// Whose turn it is goes by when it was last tried: one that could not tell must not keep the others waiting.
// Where no Pod begins the turn is back after an hour, after two, four and so on: such nodes are always free,
// and a few dozen of them would else be all that is tried.
std::optional<std::time_t> under_load(const RoundState& state, const FleetNode& node) {
  const DispatchPolicy& policy = state.policy.dispatch;
  const Attempts& record = state.record(node, JobKind::health);
  std::optional<std::time_t> spent;
  if (record.misses > 0 && record.after &&
      static_cast<double>(*record.after - state.now) <= policy.retry_most_s) {
    spent = record.after;
    if (record.stuck) {
      const double turn_s =
          std::min(policy.health_every_s, no_place_wait_s * std::exp2(std::min(record.misses - 1, 20)));
      spent = *spent + static_cast<std::time_t>(std::max(0.0, turn_s - wait_s(policy, record)));
      if (*spent <= state.now) spent.reset();
    }
  }
  return std::max({node.tested, node.tried, spent});
}

void mark_nodes(RoundState& state) {
  std::size_t marks = 0;
  for (const auto& node : state.fleet.nodes) {
    if (marks >= marks_at_once) return;
    const bool over = node.state == "admitted" && node.expires && *node.expires <= state.now;
    const bool doubted = node.state == "admitted" && node.suspected.has_value();
    const bool shunned = state.begins_nothing(node);
    if (shunned && node.due != "true")
      state.label(node, due_label, "true", "Pods do not begin there: no witness"), ++marks;
    else if (over && node.due != "true")
      state.label(node, due_label, "true", "was good until " + rfc3339(*node.expires) + ": due for a look"),
          ++marks;
    else if (!over && !doubted && !shunned && !node.due.empty())
      state.label(node, due_label, std::nullopt, "no longer due"), ++marks;
    const auto last = under_load(state, node);
    if (node.state != "admitted" || (!last && node.tested_hour.empty())) continue;
    const std::string hour =
        std::to_string(static_cast<long long>(last.value_or(0) / static_cast<std::time_t>(hour_s)));
    if (node.tested_hour != hour)
      state.label(node, tested_hour_label, hour,
                  last ? "last active run " + rfc3339(*last) : "no active run is known"),
          ++marks;
  }
}

bool held(const RoundState& state, const Attempts& record) {
  return record.after && *record.after > state.now &&
         static_cast<double>(*record.after - state.now) <= state.policy.dispatch.retry_most_s;
}

// A look that raised doubt is done again soon, and not at the next turn.
std::time_t passive_due(const RoundState& state, const FleetNode& node) {
  const std::time_t last = std::max(node.looked.value_or(0), node.tested.value_or(0));
  const auto soon = static_cast<std::time_t>(state.policy.dispatch.retry_first_s);
  // Its label may be somebody's word alone: at once, and where a look has not mended that, not every minute.
  if (owes_quarantine(state, node))
    return std::max(node.looked.value_or(0), node.suspected.value_or(node.created)) +
           static_cast<std::time_t>(hour_s);
  if (!node.expires) return node.looked ? *node.looked + soon : last;
  // What it showed was of another boot. The look finds that on the node itself, and then it is pending again.
  if (const auto reboot = state.fleet.reboots.find(node.name);
      reboot != state.fleet.reboots.end() && reboot->second > last && reboot->second <= state.now)
    return reboot->second;
  if (node.suspected) return std::max(*node.suspected, node.looked.value_or(0)) + soon;
  const std::time_t turn = last + static_cast<std::time_t>(state.policy.dispatch.passive_every_s);
  // One that came to nothing is no look.
  const Attempts& record = state.record(node, JobKind::passive);
  return record.misses > 0 && record.after ? std::min(turn, *record.after) : turn;
}

std::string count_of_nodes(std::size_t n) { return std::to_string(n) + (n == 1 ? " node" : " nodes"); }

// Whatever keeps looks from a node, somebody has to know.
void note_overdue(RoundState& state) {
  const auto limit = static_cast<std::time_t>(2 * state.policy.dispatch.passive_every_s);
  std::size_t overdue = 0;
  const FleetNode* stalest = nullptr;
  const auto last = [](const FleetNode& node) {
    return std::max({node.looked.value_or(0), node.tested.value_or(0), node.created});
  };
  for (const auto& node : state.fleet.nodes) {
    if (node.state != "admitted" || last(node) + limit >= state.now) continue;
    ++overdue;
    if (stalest == nullptr || last(node) < last(*stalest)) stalest = &node;
  }
  if (stalest != nullptr)
    state.round.notes.push_back(count_of_nodes(overdue) + " not looked at for more than " +
                                shortest(2 * state.policy.dispatch.passive_every_s / 3600) + " h, longest " +
                                stalest->name + ": kubectl -n " + state.policy.dispatch.job_namespace +
                                " get pods -l app.kubernetes.io/component=passive");
}

// As far as is known: until a run there has come to an end.
void note_where_nothing_begins(RoundState& state) {
  std::size_t count = 0;
  const FleetNode* one = nullptr;
  for (const auto& node : state.fleet.nodes)
    if (node.state == "admitted" && state.record(node, JobKind::health).stuck) ++count, one = &node;
  if (one != nullptr)
    state.round.notes.push_back("Pods do not begin on " + count_of_nodes(count) + ", " + one->name +
                                " among them (" + state.record(*one, JobKind::health).idle +
                                "); kubectl -n " + state.policy.dispatch.job_namespace +
                                " get pods --field-selector spec.nodeName=" + one->name);
}

void note_other_policies(RoundState& state) {
  std::size_t others = 0;
  const FleetNode* one = nullptr;
  for (const auto& node : state.fleet.nodes)
    if (node.state == "admitted" && !node.policy.empty() && node.policy != state.policy.digest)
      ++others, one = &node;
  if (one != nullptr)
    state.round.notes.push_back(count_of_nodes(others) + " opened by another policy than this, " + one->name +
                                " among them; to burn one in anew: kubectl label node " + one->name +
                                " --overwrite " + admission_label + "=pending");
}

void plan_passive(RoundState& state) {
  if (!state.fleet.no_reboots.empty())
    state.round.notes.push_back("a reboot is found by the next passive look only: " + state.fleet.no_reboots);
  if (const auto lack = state.lack(JobKind::passive); !lack.empty()) {
    state.round.notes.push_back("no passive looks: " + lack);
    return;
  }
  std::vector<std::pair<std::time_t, const FleetNode*>> due;
  for (const auto& node : state.fleet.nodes) {
    if ((node.state != "admitted" && !owes_quarantine(state, node)) || passive_due(state, node) > state.now ||
        held(state, state.record(node, JobKind::passive)))
      continue;
    const auto* job = state.latest(node, JobKind::passive);
    if (job != nullptr && !job->over()) continue;
    due.emplace_back(passive_due(state, node), &node);
  }
  std::ranges::sort(due, {}, [](const auto& one) { return std::tuple(one.first, one.second->name); });
  // Twice what a steady state needs in a minute, so that what piled up goes, and the API server has its
  // peace.
  const double share =
      static_cast<double>(state.fleet.nodes.size()) * 60 / state.policy.dispatch.passive_every_s;
  const int in_a_round = std::max(4, static_cast<int>(std::ceil(2 * share)));
  int made = 0;
  for (const auto& [when, node] : due) {
    if (made >= in_a_round || state.unfinished(JobKind::passive) >= 8 * in_a_round) return;
    const int number = state.next_number(*node, JobKind::passive);
    if (state.is_taken(job_name_of(JobKind::passive, *node, number)))
      continue;  // edited: until its time is over
    state.create({.kind = JobKind::passive,
                  .name = job_name_of(JobKind::passive, *node, number),
                  .run_id = {},
                  .members = {{node->name, node->uid, number}},
                  .hosts = {node->hostname},
                  .why = "passive look at " + node->name +
                         (node->looked || node->tested ? ", due " + rfc3339(when) : ", the first")});
    ++made;
  }
}

// A first failure of an open node wants a second run on that very node.
void plan_confirmations(RoundState& state) {
  for (const auto& node : state.fleet.nodes) {
    if (node.state != "admitted" || !node.suspected || state.at_work(node) != nullptr) continue;
    const bool tested_since = node.tested.value_or(0) > *node.suspected;
    if (tested_since || held(state, state.record(node, JobKind::health))) continue;
    if (state.unfinished(JobKind::health) + state.unfinished(JobKind::burnin) >=
        state.policy.dispatch.at_once)
      break;
    const int number = state.next_number(node, JobKind::health);
    if (state.is_taken(job_name_of(JobKind::health, node, number))) continue;
    state.create({.kind = JobKind::health,
                  .name = job_name_of(JobKind::health, node, number),
                  .run_id = {},
                  .members = {{node.name, node.uid, number}},
                  .hosts = {node.hostname},
                  .why = "second run on " + node.name + ", in doubt since " + rfc3339(*node.suspected)});
  }
}

struct HealthJobs {
  int waiting = 0, running = 0;
  std::optional<std::time_t> missed;  // the last that found no free node
  int vain = 0;                       // that ended without a pass since the last that passed
  std::optional<std::time_t> vain_until;
};

// Jobs that take any free node: what came of them is kept with their template.
HealthJobs count_health(const RoundState& state) {
  HealthJobs count;
  std::vector<std::pair<std::time_t, bool>> ended;
  for (const auto& job : state.fleet.jobs) {
    if (job.kind != JobKind::health || !job.members.empty()) continue;
    const auto limit = static_cast<std::time_t>(look_starts_within_s);
    if (state.has_found_no_place(job) && !job.leaving)
      count.missed = std::max(count.missed.value_or(0), job.began.value_or(job.created) + limit);
    else if (state.removed(job))
      continue;  // its node began nothing: that says nothing of the others
    else if (job.over())
      ended.emplace_back(*job.finished, job.passed);
    else
      ++(job.running ? count.running : count.waiting);
  }
  std::ranges::sort(ended);
  for (const auto& [at, passed] : ended) {
    count.vain = passed ? 0 : count.vain + 1;
    const double wait_s = std::min(back_off_s(state.policy.dispatch, count.vain), hour_s);
    count.vain_until = std::min(at, state.now) + static_cast<std::time_t>(wait_s);
  }
  return count;
}

void plan_health(RoundState& state) {
  if (const auto lack = state.lack(JobKind::health); !lack.empty()) {
    state.round.notes.push_back("no active looks: " + lack);
    return;
  }
  plan_confirmations(state);
  const DispatchPolicy& policy = state.policy.dispatch;
  const HealthJobs count = count_health(state);
  Attempts record = state.fleet.templates.at(JobKind::health).attempts;
  if (count.missed) {
    ++record.misses;
    const double wait_s = std::min({back_off_s(policy, record.misses), hour_s, policy.retry_most_s});
    record.after = std::min(*count.missed, state.now) + static_cast<std::time_t>(wait_s);
    state.round.template_patches.push_back(
        {JobKind::health, record, "no node that is due is free; again after " + rfc3339(*record.after)});
  } else if (record.misses > 0 && count.running > 0) {
    record = {.next = record.next};
    state.round.template_patches.push_back({JobKind::health, record, "a node was free"});
  }
  const auto before = state.now - static_cast<std::time_t>(policy.health_every_s);
  const auto due = std::ranges::count_if(state.fleet.nodes, [&](const FleetNode& node) {
    return node.state == "admitted" && under_load(state, node).value_or(0) <= before &&
           state.at_work(node) == nullptr;
  });
  if (due == 0 || held(state, record)) return;
  // The next would take the same node again, and come to as little.
  if (count.vain > 0 && *count.vain_until > state.now) {
    state.round.notes.push_back("active looks come to nothing, " + std::to_string(count.vain) +
                                " in a row; again after " + rfc3339(*count.vain_until) + ": kubectl -n " +
                                policy.job_namespace + " logs -l app.kubernetes.io/component=health");
    return;
  }
  const int room =
      std::min({health_waiting_at_once - count.waiting,
                static_cast<int>(std::min<std::ptrdiff_t>(due, 1'000'000)) - count.waiting - count.running,
                policy.at_once - state.unfinished(JobKind::health) - state.unfinished(JobKind::burnin)});
  // Named after the minute: a second dispatcher in it makes none beside them.
  const std::string minute = std::to_string(static_cast<long long>(state.now / 60));
  for (int i = 0; i < room; ++i)
    state.create(
        {.kind = JobKind::health,
         .name = "mlc-health-" + minute + "-" + std::to_string(i),
         .run_id = {},
         .members = {},
         .hosts = {},
         .tested_before = before,
         .why = "active look at a free node, the stalest first; " + std::to_string(due) + " are due"});
}

void plan_ipam(RoundState& state) {
  if (!state.fleet.templates.contains(JobKind::ipam)) return;
  const std::string name =
      "mlc-ipam-" + std::to_string(static_cast<long long>(static_cast<double>(state.now) / ipam_every_s));
  // Its time to live is longer than the interval, so that it is seen here as long as that lasts.
  for (const auto& job : state.fleet.jobs) {
    if (job.kind != JobKind::ipam || (job.over() && job.name != name)) continue;
    if (job.waiting() && !job.suspended &&
        state.now - job.created > static_cast<std::time_t>(look_starts_within_s))
      state.round.notes.push_back("the addresses of the rails are not checked: " + how_it_is(job));
    return;
  }
  state.create({.kind = JobKind::ipam,
                .name = name,
                .run_id = {},
                .members = {},
                .hosts = {},
                .why = "addresses of the rails, over the whole cluster"});
}

}  // namespace

void plan_looks(RoundState& state) {
  mark_nodes(state);
  note_other_policies(state);
  note_overdue(state);
  note_where_nothing_begins(state);
  plan_passive(state);
  plan_health(state);
  plan_ipam(state);
}

}  // namespace mlc
