#include "k8s/admission/publisher.hpp"

#include <algorithm>
#include <cmath>

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

std::string text_of(const Taint& taint) {
  return taint.key + (taint.value.empty() ? "" : "=" + taint.value) + ":" + taint.effect;
}

}  // namespace

Publisher::Publisher(ApiClient& api, AdmitPolicy policy, Options options)
    : api_(api), policy_(std::move(policy)), options_(std::move(options)) {}

NodeView Publisher::node(const std::string& name) {
  const HttpRequest request = get_node(name);
  const HttpResponse response = api_.send(request);
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
  std::size_t pages = 0;
  do {
    if (++pages > most_pages)
      throw ApiError("the list of nodes has no end: " + std::to_string(most_pages) + " pages were read",
                     "is there a proxy between this machine and the API server?");
    const HttpRequest request = list_nodes(policy_.fleet, from);
    const HttpResponse response = api_.send(request);
    const auto page = parsed(response, "GET " + request.path);
    const auto items = page.find("items");
    if (items == page.end() || !items->is_array())
      throw ApiError("GET " + request.path + ": the answer is no list", "is there a proxy in between?");
    for (const auto& item : *items) {
      nodes.push_back(read_node(item));
      nodes.back().seen_at = response.date;
    }
    from = page.contains("metadata") ? page["metadata"].value("continue", "") : "";
  } while (!from.empty());
  return nodes;
}

bool Publisher::change(const std::string& name,
                       const std::function<std::optional<HttpRequest>(const NodeView&)>& request) {
  for (int round = 0;; ++round) {
    const auto next = request(node(name));
    if (!next) return round > 0;
    const int status = api_.send(*next).status;
    if (status >= 200 && status < 300) return true;
    if (status == 404)
      throw ApiError("node " + name + " has gone while it was written to", "kubectl get nodes");
    api_.wait_before_round(round, next->method + " " + next->path +
                                      ": others write to this node at the same time (HTTP " +
                                      std::to_string(status) + ")");
  }
}

Admission Publisher::condition(const std::string& name, const Decide& decide) {
  Admission admission;
  change(name, [&, sent = false](const NodeView& view) mutable -> std::optional<HttpRequest> {
    // After a conflict it may be there: an answer that was lost on its way.
    const auto now = view.conditions.find(admission.condition.type);
    if (sent && now != view.conditions.end() && now->second.status == admission.condition.status &&
        now->second.message == admission.condition.message)
      return std::nullopt;
    admission = decide(view);
    if (!admission.changes) return std::nullopt;
    sent = true;
    std::vector<NodeCondition> conditions{admission.condition};
    if (admission.refused) conditions.push_back(*admission.refused);
    return set_conditions(view, conditions, options_.now());
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

void Publisher::metadata(const std::string& name, const Edits& labels, const Edits& annotations) {
  change(name, [&](const NodeView& view) -> std::optional<HttpRequest> {
    const auto same = [](const Edits& edits, const std::map<std::string, std::string>& now) {
      return std::ranges::all_of(edits, [&](const auto& edit) {
        const auto found = now.find(edit.first);
        return edit.second ? found != now.end() && found->second == *edit.second : found == now.end();
      });
    };
    if (same(labels, view.labels) && same(annotations, view.annotations)) return std::nullopt;
    return set_metadata(view, labels, annotations);
  });
}

// One ConfigMap counts for the whole fleet, and is written only as it was read: nodes that fail in the same
// second cannot each believe that they are the first.
bool Publisher::reserve(const std::string& name, std::string& why) {
  const Quarantine& rule = *policy_.quarantine;
  const std::string path = "/api/v1/namespaces/" + rule.ledger_namespace + "/configmaps/" + rule.ledger;
  const auto nodes = fleet().size();
  const auto most = static_cast<std::size_t>(std::floor(rule.share_per_hour * static_cast<double>(nodes)));
  for (int round = 0;; ++round) {
    const HttpResponse response = api_.send({.method = "GET", .path = path, .content_type = {}, .body = {}});
    if (response.status == 404) {
      why = "there is no ConfigMap " + rule.ledger_namespace + "/" + rule.ledger + " to count in";
      return false;
    }
    const auto ledger = parsed(response, "GET " + path);
    const std::time_t now = options_.now();
    nlohmann::ordered_json kept = nlohmann::ordered_json::object();
    if (const auto data = ledger.find("data"); data != ledger.end() && data->is_object())
      for (const auto& [node_name, at] : data->items()) {
        const auto moment = at.is_string() ? parse_rfc3339(at.get<std::string>()) : std::nullopt;
        if (moment && *moment + 3600 > now) kept[node_name] = at;
      }
    if (kept.contains(name)) return true;  // by an earlier try
    if (kept.size() >= most) {
      why = std::to_string(kept.size()) + " of " + std::to_string(nodes) +
            " nodes were quarantined in the last hour and the policy allows " + std::to_string(most) +
            ": look for what they share (fabric, image, power) before more are taken out";
      return false;
    }
    kept[name] = rfc3339(now);
    const nlohmann::ordered_json patch =
        nlohmann::ordered_json::array({{{"op", "test"},
                                        {"path", "/metadata/resourceVersion"},
                                        {"value", ledger["metadata"].value("resourceVersion", "")}},
                                       {{"op", "add"}, {"path", "/data"}, {"value", kept}}});
    const int status = api_.send({"PATCH", path, "application/json-patch+json", patch.dump()}).status;
    if (status >= 200 && status < 300) return true;
    api_.wait_before_round(round, "PATCH " + path + ": others count at the same time");
  }
}

void Publisher::quarantine(const std::string& name, Published& done) {
  const Taint& taint = policy_.quarantine->taint;
  if (node(name).index_of(taint)) return;
  std::string why;
  if (!reserve(name, why)) {
    done.notes.push_back("not quarantined: " + why);
    return;
  }
  const bool changed = change(name, [&](const NodeView& view) -> std::optional<HttpRequest> {
    if (view.index_of(taint)) return std::nullopt;
    return add_taint(view, taint);
  });
  metadata(name, {}, {{quarantined_annotation, rfc3339(options_.now())}});
  if (changed) done.notes.push_back("taint " + text_of(taint) + " added");
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
  if (admission.quarantine && policy_.quarantine) quarantine(name, done);
  metadata(name, admission.labels, annotations);
  if (!admission.event.reason.empty()) {
    const int status = api_.send(create_event(node(name), admission.event, options_.now())).status;
    // 409: a try before this one has written it.
    if (status == 404 || status == 422)
      done.notes.push_back("the API server refused the event (HTTP " + std::to_string(status) + ")");
  }
  if (!admission.open || !policy_.startup_taint) return done;

  // A controller that read the node before may write its taints back.
  if (options_.settle_s > 0) api_.settle(options_.settle_s);
  if (node(name).index_of(*policy_.startup_taint)) drop(name, *policy_.startup_taint, done);
  return done;
}

}  // namespace mlc
