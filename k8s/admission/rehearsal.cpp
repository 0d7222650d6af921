#include "k8s/admission/rehearsal.hpp"

#include <algorithm>

#include "reports/record/json_reader.hpp"

namespace mlc {

namespace {

// Conditions merge by their type, as the API server does it; all else is replaced.
void merge_status(nlohmann::json& node, const nlohmann::json& patch) {
  auto& conditions = node["status"]["conditions"];
  if (!conditions.is_array()) conditions = nlohmann::json::array();
  for (const auto& wanted : patch.at("status").at("conditions")) {
    const auto found = std::ranges::find_if(
        conditions, [&](const auto& one) { return one.value("type", "") == wanted.at("type"); });
    if (found == conditions.end())
      conditions.push_back(wanted);
    else
      found->merge_patch(wanted);
  }
}

// nlohmann's test wants the path to be there; the API server takes a missing one for null.
nlohmann::json without_null_tests(const nlohmann::json& patch) {
  nlohmann::json rest = nlohmann::json::array();
  for (const auto& step : patch)
    if (step.at("op") != "test" || !step.at("value").is_null()) rest.push_back(step);
  return rest;
}

}  // namespace

Rehearsal::Rehearsal(std::unique_ptr<Transport> reads, nlohmann::json taints, Show show)
    : reads_(std::move(reads)), taints_(std::move(taints)), show_(std::move(show)) {}

HttpResponse Rehearsal::send(const HttpRequest& request, const std::string& token) {
  if (request.method == "GET") {
    if (const auto known = objects_.find(request.path); known != objects_.end())
      return {.status = 200, .body = known->second.dump(), .date = dates_[request.path]};
    if (reads_) {
      HttpResponse response = reads_->send(request, token);
      dates_[request.path] = response.date;
      // What is no JSON is for the asker to refuse.
      if (const auto object = response.status == 200 ? read_json_if(response.body) : std::nullopt)
        objects_[request.path] = *object;
      return response;
    }
    const std::string nodes = "/api/v1/nodes/";
    if (!request.path.starts_with(nodes)) return {.status = 404};
    objects_[request.path] = {
        {"metadata", {{"name", request.path.substr(nodes.size())}, {"uid", "UID"}, {"resourceVersion", "1"}}},
        {"spec", {{"taints", taints_}}},
        {"status", {{"conditions", nlohmann::json::array()}}}};
    return {.status = 200, .body = objects_[request.path].dump()};
  }
  show_(request);
  const auto body = read_json(request.body);
  const bool status = request.path.ends_with("/status");
  const auto found = objects_.find(status ? request.path.substr(0, request.path.size() - 7) : request.path);
  if (found != objects_.end()) {
    if (status)
      merge_status(found->second, body);
    else if (request.content_type == "application/merge-patch+json")
      found->second.merge_patch(body);
    else if (request.content_type == "application/json-patch+json")
      found->second = found->second.patch(without_null_tests(body));
    return {.status = 200, .body = found->second.dump()};
  }
  return {.status = 200, .body = "{}"};
}

}  // namespace mlc
