#include "k8s/admission/quarantine_ledger.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "reports/record/json_reader.hpp"
#include "reports/record/moment.hpp"

namespace mlc {

namespace {

constexpr std::time_t an_hour = 3600;

std::string annotation_of(const nlohmann::json& config_map, const char* key) {
  if (!config_map.is_object() || !config_map.contains("metadata")) return {};
  const auto& metadata = config_map.at("metadata");
  if (!metadata.is_object() || !metadata.contains("annotations")) return {};
  const auto& annotations = metadata.at("annotations");
  if (!annotations.is_object() || !annotations.contains(key)) return {};
  return annotations.at(key).is_string() ? annotations.at(key).get<std::string>() : std::string();
}

}  // namespace

std::string ledger_path(const Quarantine& rule) {
  return "/api/v1/namespaces/" + rule.ledger_namespace + "/configmaps/" + rule.ledger;
}

QuarantineLedger read_ledger(const nlohmann::json& config_map, std::time_t now) {
  QuarantineLedger ledger;
  if (!config_map.is_object()) return ledger;
  if (const auto metadata = config_map.find("metadata");
      metadata != config_map.end() && metadata->is_object())
    if (const auto version = metadata->find("resourceVersion");
        version != metadata->end() && version->is_string())
      ledger.resource_version = version->get<std::string>();
  if (const auto data = config_map.find("data"); data != config_map.end() && data->is_object())
    for (const auto& [node, at] : data->items()) {
      const auto moment = at.is_string() ? parse_rfc3339(at.get<std::string>()) : std::nullopt;
      if (moment && *moment + an_hour > now && *moment < now + an_hour)
        ledger.within_the_hour[node] = at.get<std::string>();
    }
  const std::string text = annotation_of(config_map, fleet_annotation);
  std::size_t nodes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), nodes);
  if (error == std::errc() && end == text.data() + text.size() && !text.empty()) ledger.fleet = nodes;
  return ledger;
}

std::size_t most_in_quarantine(const Quarantine& rule, const QuarantineLedger& ledger) {
  if (!(rule.share_per_hour > 0)) return 0;
  const double share = rule.share_per_hour * static_cast<double>(ledger.fleet.value_or(0));
  return std::max<std::size_t>(1, static_cast<std::size_t>(std::floor(share)));
}

HttpRequest enter(const Quarantine& rule, QuarantineLedger ledger, const std::string& node, std::time_t now) {
  ledger.within_the_hour[node] = rfc3339(now);
  const nlohmann::ordered_json patch = nlohmann::ordered_json::array(
      {{{"op", "test"}, {"path", "/metadata/resourceVersion"}, {"value", ledger.resource_version}},
       {{"op", "add"}, {"path", "/data"}, {"value", ledger.within_the_hour}}});
  return {"PATCH", ledger_path(rule), "application/json-patch+json", patch.dump()};
}

void tell_fleet_size(ApiClient& api, const Quarantine& rule, std::size_t nodes) {
  const HttpResponse response =
      api.send({.method = "GET", .path = ledger_path(rule), .content_type = {}, .body = {}});
  if (response.status != 200) return;
  const auto object = read_json_if(response.body);
  const std::time_t now = response.date.value_or(std::time(nullptr));
  if (!object || read_ledger(*object, now).fleet == nodes) return;
  const nlohmann::ordered_json patch{
      {"metadata",
       {{"annotations", {{fleet_annotation, std::to_string(nodes)}, {counted_annotation, rfc3339(now)}}}}}};
  // Two that count at once write the same, and nothing is lost where it did not arrive: the next one tells
  // it.
  (void)api.send({"PATCH", ledger_path(rule), "application/merge-patch+json", patch.dump()});
}

}  // namespace mlc
