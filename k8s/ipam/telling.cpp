#include "k8s/ipam/telling.hpp"

#include <nlohmann/json.hpp>

#include "k8s/admission/node_patch.hpp"
#include "reports/record/moment.hpp"
#include "reports/record/text.hpp"

namespace mlc::ipam {

namespace {

// etcd takes 1.5 MiB, and a ConfigMap's data may have 1 MiB (pkg/apis/core/types.go, MaxSecretSize).
constexpr std::size_t largest_report = 1000 << 10;

bool done(int status) { return status >= 200 && status < 300; }

}  // namespace

std::vector<std::string> tell(ApiClient& api, const Telling& telling, std::time_t now) {
  std::vector<std::string> untold;
  for (const auto& [name, note] : telling.notes) {
    if (!is_node_name(name)) {
      untold.push_back("'" + printable(name) + "' is no name of a node: no event");
      continue;
    }
    // Nodes are not read for this, so their uid is not known. The kubelet's own events have the node's name
    // in its place, and `kubectl describe node` shows them.
    NodeView node;
    node.name = node.uid = name;
    const int status = api.send(create_event(node,
                                             {.warning = true,
                                              .reason = "RailAddress",
                                              .note = note,
                                              .instance = "mlc-bench-ipam",
                                              .key = telling.run_id + note},
                                             now))
                           .status;
    // 409: a try before this one has written it.
    if (!done(status) && status != 409)
      untold.push_back("the event at node " + name + " was refused (HTTP " + std::to_string(status) + ")");
  }
  const auto slash = telling.config_map.find('/');
  const std::string path = "/api/v1/namespaces/" + telling.config_map.substr(0, slash) + "/configmaps/" +
                           telling.config_map.substr(slash + 1);
  if (telling.report.size() > largest_report) {
    untold.push_back("the report has " + std::to_string(telling.report.size()) +
                     " bytes, more than a ConfigMap takes: it is in the Job's log");
    return untold;
  }
  const nlohmann::ordered_json data{{"report.json", telling.report}, {"looked-at", rfc3339(now)}};
  const nlohmann::ordered_json patch =
      nlohmann::ordered_json::array({{{"op", "add"}, {"path", "/data"}, {"value", data}}});
  HttpRequest request{"PATCH", path, "application/json-patch+json", patch.dump()};
  if (const int status = api.send(request).status; !done(status))
    untold.push_back("ConfigMap " + telling.config_map + " was not written (HTTP " + std::to_string(status) +
                     "): k8s/manifests/components/ipam makes it");
  return untold;
}

}  // namespace mlc::ipam
