#include "k8s/admission/node_patch.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "k8s/api/request_text.hpp"
#include "reports/record/moment.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const nlohmann::json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto value = object.find(key);
  return value != object.end() && value->is_string() ? value->get<std::string>() : std::string();
}

std::map<std::string, std::string> texts_of(const nlohmann::json& object, const char* key) {
  std::map<std::string, std::string> texts;
  if (const auto map = object.find(key); map != object.end() && map->is_object())
    for (const auto& [name, value] : map->items())
      if (value.is_string()) texts[name] = value.get<std::string>();
  return texts;
}

std::string dumped(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string path_of(const NodeView& node) { return "/api/v1/nodes/" + node.name; }

Json value_of(const Taint& taint) {
  Json value{{"key", taint.key}};
  if (!taint.value.empty()) value["value"] = taint.value;
  value["effect"] = taint.effect;
  return value;
}

Json edited(const Edits& edits) {
  Json object = Json::object();
  for (const auto& [key, value] : edits)
    object[key] = value ? Json(*value) : Json(nullptr);
  return object;
}

}  // namespace

std::optional<std::size_t> NodeView::index_of(const Taint& taint) const {
  if (!taints) return std::nullopt;
  const auto found = std::ranges::find_if(
      *taints, [&](const Taint& other) { return other.key == taint.key && other.effect == taint.effect; });
  if (found == taints->end()) return std::nullopt;
  return static_cast<std::size_t>(found - taints->begin());
}

NodeView read_node(const nlohmann::json& object) {
  const auto metadata = object.is_object() ? object.find("metadata") : object.end();
  if (!object.is_object() || metadata == object.end() || text_of(*metadata, "name").empty())
    throw std::runtime_error("the API server's answer is no Node");
  NodeView node;
  node.name = text_of(*metadata, "name"), node.uid = text_of(*metadata, "uid");
  node.resource_version = text_of(*metadata, "resourceVersion");
  node.labels = texts_of(*metadata, "labels"), node.annotations = texts_of(*metadata, "annotations");
  if (const auto spec = object.find("spec"); spec != object.end() && spec->is_object())
    if (const auto taints = spec->find("taints"); taints != spec->end() && taints->is_array()) {
      node.taints.emplace();
      for (const auto& taint : *taints)
        node.taints->push_back({text_of(taint, "key"), text_of(taint, "value"), text_of(taint, "effect")});
    }
  if (const auto status = object.find("status"); status != object.end() && status->is_object()) {
    if (const auto info = status->find("nodeInfo"); info != status->end())
      node.boot_id = text_of(*info, "bootID"), node.machine_id = text_of(*info, "machineID");
    if (const auto conditions = status->find("conditions");
        conditions != status->end() && conditions->is_array())
      for (std::size_t i = 0; i < conditions->size(); ++i) {
        const auto& condition = (*conditions)[i];
        const std::string type = text_of(condition, "type");
        node.conditions[type] = {type,
                                 text_of(condition, "status"),
                                 text_of(condition, "reason"),
                                 text_of(condition, "message"),
                                 text_of(condition, "lastTransitionTime"),
                                 i};
      }
  }
  return node;
}

bool is_node_name(const std::string& name) {
  const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (name.empty() || name.size() > 253 || !alphanumeric(name.front()) || !alphanumeric(name.back()))
    return false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool separator = name[i] == '-' || name[i] == '.';
    if (!alphanumeric(name[i]) && !separator) return false;
    // Each label between dots begins and ends with a letter or digit.
    if (name[i] == '.' && (!alphanumeric(name[i - 1]) || !alphanumeric(name[i + 1]))) return false;
  }
  return true;
}

HttpRequest get_node(const std::string& name) {
  // Without resourceVersion=0, which may be answered from a cache that lags behind.
  return {.method = "GET", .path = "/api/v1/nodes/" + name, .content_type = {}, .body = {}};
}

HttpRequest list_nodes(const std::string& selector, const std::string& from) {
  std::string path = "/api/v1/nodes?limit=500";
  if (!selector.empty()) path += "&labelSelector=" + query_escaped(selector);
  if (!from.empty()) path += "&continue=" + query_escaped(from);
  return {.method = "GET", .path = path, .content_type = {}, .body = {}};
}

namespace {

// The same node, and that condition as it was read: another run may have found otherwise meanwhile.
Json tests_of(const NodeView& node, const NodeCondition& only_while) {
  const std::string condition = "/status/conditions/" + std::to_string(only_while.index);
  return Json::array({{{"op", "test"}, {"path", "/metadata/uid"}, {"value", node.uid}},
                      {{"op", "test"}, {"path", condition + "/type"}, {"value", only_while.type}},
                      {{"op", "test"}, {"path", condition + "/status"}, {"value", only_while.status}}});
}

}  // namespace

HttpRequest remove_taint(const NodeView& node, std::size_t index, const NodeCondition& only_while) {
  const Taint& taint = node.taints->at(index);
  const std::string at = "/spec/taints/" + std::to_string(index);
  Json patch = tests_of(node, only_while);
  patch.push_back({{"op", "test"}, {"path", at + "/key"}, {"value", taint.key}});
  patch.push_back({{"op", "test"}, {"path", at + "/effect"}, {"value", taint.effect}});
  patch.push_back({{"op", "remove"}, {"path", at}});
  return {"PATCH", path_of(node), "application/json-patch+json", dumped(patch)};
}

HttpRequest add_taint(const NodeView& node, const Taint& taint, const NodeCondition& only_while) {
  Json patch = tests_of(node, only_while);
  if (node.taints) {
    // The list as it is when the patch arrives, not as it was read; one that is there already is refused with
    // 422.
    patch.push_back({{"op", "add"}, {"path", "/spec/taints/-"}, {"value", value_of(taint)}});
  } else {
    patch.push_back({{"op", "test"}, {"path", "/spec/taints"}, {"value", nullptr}});
    patch.push_back({{"op", "add"}, {"path", "/spec/taints"}, {"value", Json::array({value_of(taint)})}});
  }
  return {"PATCH", path_of(node), "application/json-patch+json", dumped(patch)};
}

namespace {

Json entry_of(const NodeView& node, const NodeCondition& condition, std::time_t now) {
  const auto before = node.conditions.find(condition.type);
  const bool same = before != node.conditions.end() && before->second.status == condition.status &&
                    !before->second.last_transition.empty();
  return {{"type", condition.type},
          {"status", condition.status},
          {"reason", condition.reason},
          {"message", condition.message},
          {"lastHeartbeatTime", rfc3339(now)},
          {"lastTransitionTime", same ? before->second.last_transition : rfc3339(now)}};
}

}  // namespace

HttpRequest set_conditions(const NodeView& node, const std::vector<NodeCondition>& conditions,
                           std::time_t now) {
  Json entries = Json::array();
  for (const auto& condition : conditions)
    entries.push_back(entry_of(node, condition, now));
  const Json patch{{"metadata", {{"uid", node.uid}, {"resourceVersion", node.resource_version}}},
                   {"status", {{"conditions", entries}}}};
  return {"PATCH", path_of(node) + "/status", "application/strategic-merge-patch+json", dumped(patch)};
}

HttpRequest set_metadata(const NodeView& node, const Edits& labels, const Edits& annotations) {
  Json metadata{{"uid", node.uid}};
  if (!node.resource_version.empty()) metadata["resourceVersion"] = node.resource_version;
  if (!labels.empty()) metadata["labels"] = edited(labels);
  if (!annotations.empty()) metadata["annotations"] = edited(annotations);
  return {"PATCH", path_of(node), "application/merge-patch+json", dumped({{"metadata", metadata}})};
}

HttpRequest create_event(const NodeView& node, const EventText& event, std::time_t now) {
  // What is not in a namespace has its events in "default" (pkg/apis/core/validation/events.go).
  const Json object{
      {"apiVersion", "events.k8s.io/v1"},
      {"kind", "Event"},
      {"metadata", {{"name", "mlc-bench-" + name_hash(node.uid + event.key)}, {"namespace", "default"}}},
      {"eventTime", rfc3339_micro(now)},
      {"type", event.warning ? "Warning" : "Normal"},
      {"reason", event.reason},
      {"action", "NodeValidation"},
      {"note", bounded(event.note, 1024)},
      {"reportingController", "mlc-bench.io/admit"},
      {"reportingInstance", bounded(event.instance.empty() ? node.name : event.instance, 128)},
      {"regarding", {{"apiVersion", "v1"}, {"kind", "Node"}, {"name", node.name}, {"uid", node.uid}}}};
  return {"POST", "/apis/events.k8s.io/v1/namespaces/default/events", "application/json", dumped(object)};
}

std::string bounded(const std::string& text, std::size_t most) {
  std::string safe = printable(text, most);
  if (safe.size() <= most) return safe;
  std::size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(safe[end]) & 0xc0) == 0x80)
    --end;
  safe.resize(end);
  return safe;
}

}  // namespace mlc
