#include "k8s/admission/publisher.hpp"

#include <algorithm>

#include "k8s/admission/quarantine_ledger.hpp"
#include "reports/record/json_reader.hpp"
#include "reports/record/moment.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

nlohmann::json parsed(const HttpResponse& response, const std::string& what) {
  try {
    return read_json(response.body);
  } catch (const JsonError& error) {
    throw ApiError(what + ": the answer is no JSON: " + error.what(),
                   "is there a proxy between this machine and the API server?");
  }
}

// The condition as this run wrote it: its message names the run.
bool is_still(const NodeView& view, const NodeCondition& condition) {
  const auto found = view.conditions.find(condition.type);
  return found != view.conditions.end() && found->second.status == condition.status &&
         found->second.message == condition.message;
}

std::string text_of(const Taint& taint) {
  return taint.key + (taint.value.empty() ? "" : "=" + taint.value) + ":" + taint.effect;
}

}  // namespace

Publisher::Publisher(ApiClient& api, AdmitPolicy policy, Options options)
    : api_(api), policy_(std::move(policy)), options_(std::move(options)) {}

HttpResponse Publisher::send(const HttpRequest& request) {
  HttpResponse response = api_.send(request);
  if (response.date) server_now_ = response.date;
  return response;
}

std::time_t Publisher::now() const { return server_now_ ? *server_now_ : options_.now(); }

void Publisher::tell_fleet_size(std::size_t nodes) {
  if (policy_.quarantine) mlc::tell_fleet_size(api_, *policy_.quarantine, nodes);
}

NodeView Publisher::node(const std::string& name) {
  const HttpRequest request = get_node(name);
  const HttpResponse response = send(request);
  if (response.status == 404)
    throw ApiError("the cluster has no node " + name,
                   "kubectl get nodes lists them; is this the right cluster?");
  NodeView view = read_node(parsed(response, "GET " + request.path));
  view.seen_at = response.date;
  return view;
}

std::vector<NodeView> Publisher::fleet() {
  std::vector<NodeView> nodes;
  std::string from;
  // A server that never comes to an end of its list is not believed for ever.
  constexpr std::size_t most_pages = 1000;
  constexpr int most_beginnings = 5;
  std::size_t pages = 0;
  int beginnings = 1;
  for (bool more = true; more;) {
    if (++pages > most_pages)
      throw ApiError("the list of nodes has no end: " + std::to_string(most_pages) + " pages were read",
                     "is there a proxy between this machine and the API server?");
    const HttpRequest request = list_nodes(policy_.fleet, from);
    const HttpResponse response = send(request);
    if (response.status == 410) {  // the server has forgotten what the list went on from
      if (++beginnings > most_beginnings)
        throw ApiError("GET " + request.path + ": HTTP 410" + said_by(response) + "; " +
                           std::to_string(most_beginnings) + " times",
                       "is the API server too slow for lists to be read to their end?");
      nodes.clear(), from.clear(), pages = 0;
      continue;
    }
    const auto page = parsed(response, "GET " + request.path);
    const auto items = page.find("items");
    if (items == page.end() || !items->is_array())
      throw ApiError("GET " + request.path + ": the answer is no list", "is there a proxy in between?");
    for (const auto& item : *items) {
      nodes.push_back(read_node(item));
      nodes.back().seen_at = response.date;
    }
    from = page.contains("metadata") ? page["metadata"].value("continue", "") : "";
    more = !from.empty();
  }
  return nodes;
}

bool Publisher::change(const std::string& name,
                       const std::function<std::optional<HttpRequest>(const NodeView&)>& request) {
  for (int round = 0;; ++round) {
    if (!known_ || known_->name != name) known_ = node(name);
    const auto next = request(*known_);
    if (!next) return round > 0;
    const HttpResponse response = send(*next);
    known_.reset();
    const std::string what = next->method + " " + next->path;
    if (response.status >= 200 && response.status < 300) {
      // The node as it is after this very change.
      if (const auto object = read_json_if(response.body); object && object->contains("metadata")) {
        known_ = read_node(*object);
        known_->seen_at = response.date;
      }
      return true;
    }
    if (response.status == 404)
      throw ApiError("node " + name + " has gone while it was written to", "kubectl get nodes");
    const std::string refused = what + ": HTTP " + std::to_string(response.status) + said_by(response);
    if (!is_lost_race(response))
      throw ApiError(
          refused,
          "the cluster forbids this write, and would forbid it again: a burn-in may write its own node "
          "and mlc-bench's own keys (k8s/manifests/components/own-node-only)");
    api_.wait_before_round(round, what + ": others write to this node at the same time (HTTP " +
                                      std::to_string(response.status) + ")");
  }
}

Admission Publisher::condition(const std::string& name, const Decide& decide) {
  Admission admission;
  known_.reset();
  change(name, [&, sent = false](const NodeView& view) mutable -> std::optional<HttpRequest> {
    // After a conflict it may be there: an answer that was lost on its way.
    const auto is = view.conditions.find(admission.condition.type);
    if (sent && is != view.conditions.end() && is->second.status == admission.condition.status &&
        is->second.message == admission.condition.message)
      return std::nullopt;
    admission = decide(view);
    if (!admission.changes) return std::nullopt;
    sent = true;
    std::vector<NodeCondition> conditions{admission.condition};
    if (admission.refused) conditions.push_back(*admission.refused);
    return set_conditions(view, conditions, now());
  });
  return admission;
}

void Publisher::drop(const std::string& name, const Taint& taint, Published& done) {
  bool overruled = false;
  const bool changed = change(name, [&](const NodeView& view) -> std::optional<HttpRequest> {
    const auto index = view.index_of(taint);
    const auto condition = view.conditions.find(policy_.condition);
    overruled = condition == view.conditions.end() || condition->second.status != "True";
    if (!index || overruled) return std::nullopt;
    return remove_taint(view, *index, condition->second);
  });
  if (overruled)
    done.notes.push_back("taint " + text_of(taint) + " stays: another run has set " + policy_.condition +
                         " meanwhile");
  else if (changed)
    done.notes.push_back("taint " + text_of(taint) + " removed");
}

bool Publisher::metadata(const std::string& name, const Edits& labels, const Edits& annotations,
                         const NodeCondition& only_while) {
  bool overruled = false;
  change(name, [&](const NodeView& view) -> std::optional<HttpRequest> {
    overruled = !is_still(view, only_while);
    const auto same = [](const Edits& edits, const std::map<std::string, std::string>& as_it_is) {
      return std::ranges::all_of(edits, [&](const auto& edit) {
        const auto found = as_it_is.find(edit.first);
        return edit.second ? found != as_it_is.end() && found->second == *edit.second
                           : found == as_it_is.end();
      });
    };
    if (overruled || (same(labels, view.labels) && same(annotations, view.annotations))) return std::nullopt;
    return set_metadata(view, labels, annotations);
  });
  return !overruled;
}

// One ConfigMap counts for the whole fleet, and is written only as it was read: nodes that fail in the same
// second cannot each believe that they are the first.
bool Publisher::reserve(const std::string& name, std::string& why) {
  const Quarantine& rule = *policy_.quarantine;
  const std::string path = ledger_path(rule);
  for (int round = 0;; ++round) {
    const HttpResponse response = send({.method = "GET", .path = path, .content_type = {}, .body = {}});
    if (response.status == 404) {
      why = "there is no ConfigMap " + rule.ledger_namespace + "/" + rule.ledger + " to count in";
      return false;
    }
    const QuarantineLedger ledger = read_ledger(parsed(response, "GET " + path), now());
    if (ledger.within_the_hour.contains(name)) return true;  // by an earlier try
    const std::size_t most = most_in_quarantine(rule, ledger), taken = ledger.within_the_hour.size();
    if (taken >= most) {
      why =
          std::to_string(taken) + " of " +
          (ledger.fleet ? std::to_string(*ledger.fleet) + " nodes" : "a fleet that nobody has counted yet") +
          " were quarantined in the last hour and the policy allows " + std::to_string(most) +
          ": look for what they share (fabric, image, power) before more are taken out";
      return false;
    }
    const HttpResponse written = send(enter(rule, ledger, name, now()));
    if (written.status >= 200 && written.status < 300) return true;
    if (!is_lost_race(written))
      throw ApiError("PATCH " + path + ": HTTP " + std::to_string(written.status) + said_by(written),
                     "the cluster forbids this write, and would forbid it again");
    api_.wait_before_round(round, "PATCH " + path + ": others count at the same time");
  }
}

// The annotation that says since when: what is to be written of it.
Edits Publisher::quarantine(const std::string& name, const NodeCondition& only_while, Published& done) {
  const Taint& taint = policy_.quarantine->taint;
  if (!known_ || known_->name != name) known_ = node(name);
  Edits since{{quarantined_annotation, rfc3339(now())}};
  if (known_->index_of(taint)) return known_->annotations.contains(quarantined_annotation) ? Edits{} : since;
  std::string why;
  // One that is shut anyway costs the fleet nothing, and takes no place of those that are open.
  const bool shut = policy_.startup_taint && known_->index_of(*policy_.startup_taint);
  if (!shut && !reserve(name, why)) {
    done.notes.push_back("not quarantined: " + why);
    return {{quarantined_annotation, std::nullopt}};
  }
  const bool changed = change(name, [&](const NodeView& view) -> std::optional<HttpRequest> {
    if (view.index_of(taint) || !is_still(view, only_while)) return std::nullopt;
    return add_taint(view, taint, view.conditions.at(only_while.type));
  });
  if (changed) done.notes.push_back("taint " + text_of(taint) + " added");
  return since;
}

Published Publisher::publish(const std::string& name, const Decide& decide) {
  Published done;
  const Admission admission = condition(name, decide);
  if (!admission.changes) {
    done.notes.push_back("left as it is: " + admission.why);
    return done;
  }
  done.changed = true;
  done.notes.push_back("condition " + admission.condition.type + " is " + admission.condition.status + " (" +
                       admission.condition.reason + ")");
  Edits annotations = admission.annotations;
  if (admission.open) {
    if (policy_.startup_taint) drop(name, *policy_.startup_taint, done);
    if (policy_.quarantine) drop(name, policy_.quarantine->taint, done);
    annotations[quarantined_annotation] = std::nullopt;
  }
  if (admission.quarantine && policy_.quarantine)
    annotations.merge(quarantine(name, admission.condition, done));
  if (!metadata(name, admission.labels, annotations, admission.condition)) {
    done.notes.push_back("labels and annotations stay: another run has set " + admission.condition.type +
                         " meanwhile");
    return done;
  }
  if (!admission.event.reason.empty()) {
    if (!known_ || known_->name != name) known_ = node(name);
    const HttpResponse response = send(create_event(*known_, admission.event, now()));
    // 409: a try before this one has written it.
    if (response.status == 404 || response.status == 422)
      done.notes.push_back("the API server refused the event (HTTP " + std::to_string(response.status) + ")" +
                           said_by(response));
  }
  if (!admission.open || !policy_.startup_taint) return done;

  // A controller that read the node before may write its taints back.
  if (options_.settle_s > 0) api_.settle(options_.settle_s);
  known_ = node(name);
  if (known_->index_of(*policy_.startup_taint)) drop(name, *policy_.startup_taint, done);
  return done;
}

}  // namespace mlc
