#include "k8s/dispatch/round.hpp"

#include <algorithm>
#include <cstdint>

#include "k8s/admission/admission.hpp"
#include "k8s/api/request_text.hpp"
#include "k8s/dispatch/round_state.hpp"
#include "reports/record/moment.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

const Attempts untried;

double limit_of(JobKind kind) {
  return kind == JobKind::burnin || kind == JobKind::fabric ? starts_within_s : look_starts_within_s;
}

// What its Job was made for is no longer so.
std::string needless(const RoundState& state, const DispatchJob& job) {
  if (job.members.empty()) return {};
  const FleetNode* known = nullptr;
  bool wanted = false;
  for (const auto& member : job.members) {
    const FleetNode* node = state.node_of(member.uid);
    if (node == nullptr) continue;
    known = known ? known : node;
    wanted = wanted || (job.kind == JobKind::burnin ? node->state != "admitted"
                        : job.kind == JobKind::fabric
                            ? node->state == "fabric"
                            : node->state == "admitted" ||
                                  (job.kind == JobKind::passive && owes_quarantine(state, *node)));
  }
  if (known == nullptr) return "its node is gone";
  return wanted ? "" : "its node is " + known->state + " already";
}

// A node is in one group at a time: where two dispatchers made two, the younger goes, unless it runs.
const DispatchJob* elder_with_same_member(const RoundState& state, const DispatchJob& job) {
  if (job.kind != JobKind::fabric) return nullptr;
  for (const auto& other : state.fleet.jobs) {
    if (other.kind != JobKind::fabric || other.over() || &other == &job || state.removed(other)) continue;
    const bool elder = std::pair(other.created, other.name) < std::pair(job.created, job.name);
    if ((elder || other.running) &&
        std::ranges::any_of(job.members, [&](const auto& one) { return other.member(one.uid) != nullptr; }))
      return &other;
  }
  return nullptr;
}

// What it will find, or finds, is measured by what the policy no longer says: the template's ConfigMap has
// another name. Whose dispatcher made it, and by which file, says nothing of what its Pods read.
bool is_of_another_policy(const RoundState& state, const DispatchJob& job) {
  const auto made_of = state.fleet.templates.find(job.kind);
  return made_of != state.fleet.templates.end() && !job.configured_by.empty() &&
         job.configured_by != made_of->second.configured_by;
}

// Witnesses and free nodes that were the scheduler's choice.
void spend_idle_places(RoundState& state, const DispatchJob& job, std::time_t at) {
  for (const auto& [name, since] : job.idle_on)
    if (state.now - since > static_cast<std::time_t>(limit_of(job.kind)) &&
        std::ranges::none_of(job.members, [&](const JobMember& member) { return member.name == name; }))
      state.spent(name, at, job.idle_why.empty() ? "it does not say why" : job.idle_why);
}

void tidy_waiting(RoundState& state, const DispatchJob& job) {
  if (job.kind == JobKind::ipam) return;  // no node waits for it, and its own deadline ends it
  if (is_of_another_policy(state, job))
    return state.remove(job, "it was made under another policy than this");
  if (const auto why = needless(state, job); !why.empty()) return state.remove(job, why);
  if (const auto* elder = elder_with_same_member(state, job))
    return state.remove(job, "a node of it is in " + elder->name);
  if (job.suspended) return;  // Kueue lets it go when there is room
  std::time_t began = std::max(job.began.value_or(job.created), job.idle_since.value_or(0));
  for (const auto& [name, since] : job.idle_on)
    began = std::max(began, std::min(since, state.now));  // a Pod that got its node late has its time there
  const auto limit = static_cast<std::time_t>(limit_of(job.kind));
  if (state.now - began <= limit) return;
  spend_idle_places(state, job, began + limit);
  for (const auto& member : job.members)
    if (const FleetNode* node = state.node_of(member.uid);
        node != nullptr && member.number >= state.record(*node, job.kind).next)
      state.miss(*node, job.kind, member.number, began + limit, Came::to_no_place, job.idle_why);
  if (job.idle_on.empty()) state.found_no_place(job);
  state.remove(job, "no Pod of it began in " + shortest(limit_of(job.kind) / 60) + " minutes" +
                        (job.idle_why.empty() ? "" : ": " + job.idle_why));
}

// A Job that is over: did it change what it was for?
bool gave_nothing(const RoundState& state, const FleetNode& node, const DispatchJob& job) {
  // A look writes its time by the node's clock. One that passed and wrote none is no look all the same: else
  // it would be taken again each minute.
  const std::time_t clock_may_be_behind = job.passed ? 3600 : 0;
  const auto before = [&](const std::optional<std::time_t>& time) {
    return time.value_or(0) < job.created - clock_may_be_behind;
  };
  switch (job.kind) {
    case JobKind::burnin:
      return node.state == "pending" || (node.state == "refused" && !job.passed);
    case JobKind::fabric:
      return node.state == "fabric" || (node.state == "refused" && !job.passed);
    case JobKind::health:
      return node.state == "admitted" && before(node.tested);
    case JobKind::passive:
      return (node.state == "admitted" || owes_quarantine(state, node)) && before(node.looked);
    case JobKind::ipam:
      return false;
  }
  return false;
}

// A Pod of the group has ended, and of those that are left none has begun.
bool is_idle_again(const DispatchJob& job) {
  return job.kind == JobKind::fabric && !job.over() && job.ended && job.begun == 0 && job.idle > 0;
}

// Nobody waits for those any more, or they never begin.
bool is_over_but_for_idle_pods(const RoundState& state, const DispatchJob& job) {
  const bool waited_for = std::ranges::any_of(job.members, [&](const JobMember& member) {
    const FleetNode* node = state.node_of(member.uid);
    return node != nullptr && node->state == "fabric";
  });
  return !waited_for ||
         state.now - job.idle_since.value_or(job.created) > static_cast<std::time_t>(starts_within_s);
}

void end_group(RoundState& state, const DispatchJob& job) {
  for (const auto& member : job.members)
    if (const FleetNode* node = state.node_of(member.uid);
        node != nullptr && gave_nothing(state, *node, job) &&
        member.number >= state.record(*node, job.kind).next)
      state.miss(*node, job.kind, member.number, state.now, Came::to_no_verdict);
  spend_idle_places(state, job, state.now);
  state.remove(job, "its Pods have ended, but for " + std::to_string(job.idle) + " that never began");
}

// Nothing is held against it any more, and nothing that was begun is gone on with. A Job that is at work
// still counts when it ends.
void begin_anew(RoundState& state, const FleetNode& node) {
  // Numbers that were given before are gone with the annotation, and Jobs and runs are named after them.
  const int unused = static_cast<int>(state.now / 60 % (most_tries / 2));
  for (const JobKind kind : {JobKind::burnin, JobKind::fabric, JobKind::health, JobKind::passive}) {
    const auto* job = state.latest(node, kind);
    const int given = job == nullptr ? 0 : job->member(node.uid)->number;
    const int next = job != nullptr && !job->over() ? given : std::max(given + 1, unused);
    state.set_record(node, kind, {.next = next, .answers = unused},
                     kind == JobKind::burnin ? "tried anew, as somebody wishes" : "");
  }
}

void settle_records(RoundState& state, const FleetNode& node) {
  for (const JobKind kind : {JobKind::burnin, JobKind::fabric, JobKind::health, JobKind::passive}) {
    const Attempts record = state.record(node, kind);
    if (record.misses == 0 && !record.refused) continue;
    const auto answered = kind == JobKind::health ? node.tested : node.looked;
    // Later than what it is to answer, which was a wait before `after`.
    const auto wait = static_cast<std::time_t>(wait_s(state.policy.dispatch, record));
    const bool settled = kind == JobKind::burnin || kind == JobKind::fabric
                             ? node.state == "admitted"
                             : answered && record.after && *answered > *record.after - wait;
    if (settled)
      state.set_record(node, kind, {.next = record.next, .answers = record.answers}, "an answer came");
  }
}

std::string count_text(int n, const std::string& what) {
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

}  // namespace

RoundState::RoundState(const Fleet& of, const Policy& by, Round& into)
    : fleet(of), policy(by), round(into), now(of.now) {
  for (const auto& node : fleet.nodes) {
    nodes_[node.uid] = &node;
    if (!node.attempts.empty()) records_[node.uid] = node.attempts;
  }
  for (const auto& job : fleet.jobs) {
    if (!job.over()) ++unfinished_[job.kind];
    for (const auto& member : job.members) {
      const DispatchJob*& known = latest_[{member.uid, job.kind}];
      const auto rank = [&](const DispatchJob& one) {
        return std::tuple(!one.over(), one.member(member.uid)->number, one.created, one.name);
      };
      if (known == nullptr || rank(*known) < rank(job)) known = &job;
    }
  }
}

std::string RoundState::lack(JobKind kind) const {
  const auto& section = kind == JobKind::burnin    ? policy.burnin
                        : kind == JobKind::health  ? policy.health
                        : kind == JobKind::passive ? policy.passive
                                                   : policy.fabric;
  if (kind != JobKind::ipam && !section)
    return "policy " + policy.name + " has no section '" + to_string(kind) + "'";
  if (!fleet.templates.contains(kind))
    return "namespace " + policy.dispatch.job_namespace + " has no CronJob with the label " + template_label +
           "=" + to_string(kind) + " to make Jobs of";
  return {};
}

const DispatchJob* RoundState::latest(const FleetNode& node, JobKind kind) const {
  const auto found = latest_.find({node.uid, kind});
  return found == latest_.end() ? nullptr : found->second;
}

const DispatchJob* RoundState::at_work(const FleetNode& node) const {
  for (const JobKind kind : {JobKind::burnin, JobKind::fabric, JobKind::health})
    if (const auto* job = latest(node, kind); job != nullptr && !job->over() && !removed(*job)) return job;
  return nullptr;
}

const FleetNode* RoundState::node_of(const std::string& uid) const {
  const auto found = nodes_.find(uid);
  return found == nodes_.end() ? nullptr : found->second;
}

int RoundState::unfinished(JobKind kind) const {
  const auto found = unfinished_.find(kind);
  return found == unfinished_.end() ? 0 : found->second;
}

const Attempts& RoundState::record(const FleetNode& node, JobKind kind) const {
  const auto records = records_.find(node.uid);
  if (records == records_.end()) return untried;
  const auto found = records->second.find(kind);
  return found == records->second.end() ? untried : found->second;
}

int RoundState::next_number(const FleetNode& node, JobKind kind) const {
  const int kept = record(node, kind).next;
  const auto* job = latest(node, kind);
  return job == nullptr ? kept : std::max(kept, job->member(node.uid)->number + 1);
}

void RoundState::miss(const FleetNode& node, JobKind kind, int number, std::time_t at, Came came,
                      const std::string& idle_why) {
  Attempts record = this->record(node, kind);
  // Of a time that lies ahead nothing is known: an edited or damaged Job must not lock a node out.
  at = std::min(at, now);
  record.next = std::max(record.next, number + 1);
  record.refused = node.state == "refused";
  if (kind == JobKind::fabric && record.refused) return refused_by_fabric(node, record.next, at);
  ++record.misses;
  record.idle = came != Came::to_no_place ? "" : idle_why.empty() ? "no place" : idle_why;
  record.stuck = false;
  if (came == Came::to_a_verdict || record.refused) ++record.answers;
  record.after = at + static_cast<std::time_t>(wait_s(policy.dispatch, record));
  set_record(node, kind, record,
             count_text(record.misses, to_string(kind) + " Job") + " without a pass: again after " +
                 rfc3339(*record.after));
}

void RoundState::spent(const std::string& name, std::time_t at, const std::string& idle_why) {
  const auto node = std::ranges::find(fleet.nodes, name, &FleetNode::name);
  if (node == fleet.nodes.end() || node->state != "admitted") return;
  Attempts record = this->record(*node, JobKind::health);
  if (record.misses > 0 && record.after && *record.after > at) return;  // known already
  ++record.misses, record.idle = bounded(idle_why, 200), record.stuck = !idle_why.empty();
  record.after = std::min(at, now) + static_cast<std::time_t>(wait_s(policy.dispatch, record));
  set_record(*node, JobKind::health, record,
             record.stuck ? "a Pod does not begin there (" + record.idle +
                                "): neither looked at nor a witness until " + rfc3339(*record.after)
                          : "a look at it came to nothing: the next is at another node");
  if (record.stuck) return;
  // Whatever it has left behind, a passive look puts right.
  Attempts passive = this->record(*node, JobKind::passive);
  ++passive.misses;
  passive.after = std::min(at, now) + static_cast<std::time_t>(wait_s(policy.dispatch, passive));
  set_record(*node, JobKind::passive, passive, "");
}

bool RoundState::begins_nothing(const FleetNode& node) const {
  const Attempts& record = this->record(node, JobKind::health);
  return node.state == "admitted" && record.stuck && record.after && *record.after > now &&
         static_cast<double>(*record.after - now) <= policy.dispatch.retry_most_s;
}

// An answer. Before the next fabric stage come the local ones, anew and later each time.
void RoundState::refused_by_fabric(const FleetNode& node, int next, std::time_t at) {
  const Attempts fabric = record(node, JobKind::fabric);
  set_record(node, JobKind::fabric, {.next = next, .refused = true, .answers = fabric.answers + 1},
             "refused by its fabric stage");
  Attempts local = record(node, JobKind::burnin);
  ++local.misses, ++local.answers;
  local.refused = true, local.idle.clear(), local.next = next_number(node, JobKind::burnin);
  local.after = at + static_cast<std::time_t>(back_off_s(policy.dispatch, local.misses));
  set_record(node, JobKind::burnin, local, "tested anew after " + rfc3339(*local.after));
}

// At once, as an operator expects; but where that leads nowhere, not every minute.
void RoundState::done(const FleetNode& node, JobKind kind, int number, std::time_t at) {
  Attempts record = this->record(node, kind);
  record.next = std::max(record.next, number + 1), ++record.answers, ++record.misses;
  record.idle.clear(), record.refused = false;
  record.after = std::min(at, now) + static_cast<std::time_t>(back_off_s(policy.dispatch, record.misses - 1));
  set_record(node, kind, record, "its last " + to_string(kind) + " Job passed");
}

void RoundState::set_record(const FleetNode& node, JobKind kind, const Attempts& attempts,
                            const std::string& why) {
  records_[node.uid][kind] = attempts;
  recorded_.insert(node.uid);
  PatchNode& patch = patches_[node.uid];
  if (!why.empty()) patch.why += (patch.why.empty() ? "" : "; ") + why;
}

void RoundState::label(const FleetNode& node, const std::string& key, const std::optional<std::string>& value,
                       const std::string& why) {
  PatchNode& patch = patches_[node.uid];
  patch.labels[key] = value;
  patch.why += (patch.why.empty() ? "" : "; ") + why;
}

void RoundState::remove(const DispatchJob& job, const std::string& why) {
  if (!removed_.insert(job.uid).second) return;
  if (!job.leaving) round.deletions.push_back({job.name, job.uid, job.resource_version, why, job.members});
}

bool RoundState::is_taken(const std::string& job) const {
  return std::ranges::any_of(fleet.jobs, [&](const DispatchJob& one) { return one.name == job; });
}

void RoundState::create(CreateJob job) {
  ++unfinished_[job.kind];
  round.creations.push_back(std::move(job));
}

void RoundState::wait(const FleetNode& node, const std::string& why) {
  round.waiting.push_back({node.name, node.state, why});
}

void RoundState::write_patches() {
  for (auto& [uid, patch] : patches_) {
    patch.name = nodes_.at(uid)->name, patch.uid = uid;
    if (recorded_.contains(uid)) patch.annotations[attempts_annotation] = attempts_text(records_.at(uid));
    round.node_patches.push_back(std::move(patch));
  }
}

bool owes_quarantine(const RoundState& state, const FleetNode& node) {
  return state.policy.admit.quarantine && node.state == "refused" && !node.quarantined;
}

std::string run_id_of(const RoundState& state, const FleetNode& node, JobKind kind) {
  return node.name.substr(0, 60) + "-" + to_string(kind) + "-" +
         name_hash(node.uid + " " + (node.tested ? rfc3339(*node.tested) : "never") + " " +
                   std::to_string(state.record(node, kind).answers));
}

std::string how_it_is(const DispatchJob& job) {
  const std::string its = "its Job " + job.name, since = rfc3339(job.began.value_or(job.created)),
                    why = job.idle_why.empty() ? "" : ": " + job.idle_why;
  if (job.leaving) return its + " is being deleted since " + rfc3339(*job.leaving);
  if (job.lost) return its + " was told to end, and a node of it does not say that it has";
  if (job.running && job.idle > 0)
    return its + " has " + count_text(job.begun, "Pod") + " at work since " + since + " and " +
           std::to_string(job.idle) + " that has not begun" + why;
  if (job.running) return its + " is at work since " + since;
  if (job.suspended) return its + " waits for its queue to let it go";
  if (job.idle > 0) return its + " waits since " + rfc3339(*job.idle_since) + " for its Pod to begin" + why;
  return its + " waits since " + since + " for its Pod to begin; kubectl describe says what for";
}

std::string edited_text(const RoundState& state, const std::string& job) {
  return "Job " + job + " was edited, and is in the way of its own: kubectl -n " +
         state.policy.dispatch.job_namespace + " delete job " + job;
}

// A uid is enough: a node of the same name that was made anew is another one.
std::string job_name_of(JobKind kind, const FleetNode& node, int number) {
  return "mlc-" + to_string(kind) + "-" + name_hash(node.uid) + "-" + std::to_string(number);
}

void account_for_jobs(RoundState& state) {
  for (const auto& job : state.fleet.jobs)
    if (is_idle_again(job)) {
      if (is_over_but_for_idle_pods(state, job)) end_group(state, job);
    } else if (job.waiting())
      tidy_waiting(state, job);
    else if (!job.over() && (job.kind == JobKind::burnin || job.kind == JobKind::fabric) &&
             is_of_another_policy(state, job))
      state.remove(job, "it measures by another policy than this");
  for (const auto& job : state.fleet.jobs) {
    if (job.on.empty()) continue;
    const auto node = std::ranges::find(state.fleet.nodes, job.on, &FleetNode::name);
    if (node != state.fleet.nodes.end() &&
        std::max(node->tested.value_or(0), node->tried.value_or(0)) < job.created)
      state.spent(job.on, *job.finished, "");
  }
  for (const auto& node : state.fleet.nodes) {
    ++state.round.states[node.state];
    if (node.anew) begin_anew(state, node);
    for (const JobKind kind : {JobKind::burnin, JobKind::fabric, JobKind::health, JobKind::passive}) {
      const auto* job = state.latest(node, kind);
      if (job == nullptr || !job->over() || !gave_nothing(state, node, *job)) continue;
      const int number = job->member(node.uid)->number;
      if (number < state.record(node, kind).next) continue;
      if (kind == JobKind::burnin && job->passed)
        state.done(node, kind, number, *job->finished);
      else
        state.miss(node, kind, number, *job->finished,
                   job->answered ? Came::to_a_verdict : Came::to_no_verdict);
    }
    settle_records(state, node);
  }
}

Round next_round(const Fleet& fleet, const Policy& policy) {
  Round round;
  RoundState state(fleet, policy, round);
  if (!fleet.unlabelled.empty()) {
    auto names = fleet.unlabelled;
    if (names.size() > static_cast<std::size_t>(unlabelled_shown)) names.back() = "more";
    round.notes.push_back("without the label " + std::string(admission_label) +
                          ", and so not looked at: " + join(names, ", "));
  }
  if (!fleet.no_pods.empty())
    round.notes.push_back("why Pods wait for a place is not known: " + fleet.no_pods);
  account_for_jobs(state);
  plan_local_stages(state);
  plan_fabric_groups(state);
  plan_looks(state);
  state.write_patches();
  std::ranges::sort(round.waiting, {}, &NodeLine::name);
  return round;
}

}  // namespace mlc
