#include "k8s/manifests/campaign_job.hpp"

#include <vector>

#include "k8s/manifests/pod_parts.hpp"

namespace mlc {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* component = "fleet";
constexpr const char* key_folder = "/etc/mlc-key";

// One campaign at a time on a node, and none beside another of our Pods, in whatever namespace: they would
// measure each other.
Json alone() {
  return {{"podAntiAffinity",
           {{"requiredDuringSchedulingIgnoredDuringExecution",
             Json::array({{{"topologyKey", "kubernetes.io/hostname"},
                           {"labelSelector", {{"matchLabels", {{"app.kubernetes.io/name", "mlc-bench"}}}}},
                           {"namespaceSelector", Json::object()}}})}}}};
}

Json pod(const ManifestRequest& request, bool has_files, const std::string& gather) {
  std::vector<std::string> command{"mlc-bench"};
  command.insert(command.end(), request.command.begin(), request.command.end());
  for (const auto& word :
       {"--leader=" + request.name + "-0." + request.name, "--members=" + std::to_string(request.nodes),
        std::string("--key=") + key_folder + "/key", "--gather=" + gather, std::string("--progress=never")})
    command.push_back(word);
  Json mounts = Json::array({{{"name", "key"}, {"mountPath", key_folder}, {"readOnly", true}}});
  Json volumes = Json::array(
      {{{"name", "key"}, {"secret", {{"secretName", request.name + "-key"}, {"defaultMode", 0440}}}}});
  if (has_files) {
    mounts.push_back({{"name", "files"}, {"mountPath", campaign_files}, {"readOnly", true}});
    volumes.push_back({{"name", "files"}, {"configMap", {{"name", request.name + "-files"}}}});
  }
  const Json container{
      {"name", component},
      {"image", request.image},
      {"command", command},
      {"env", Json::array({{{"name", "NODE_NAME"},
                            {"valueFrom", {{"fieldRef", {{"fieldPath", "spec.nodeName"}}}}}}})},
      {"securityContext", security_context(request, false, request.rails > 0)},
      {"resources", {{"requests", {{"cpu", "2"}, {"memory", "1Gi"}}}, {"limits", pod_limits(request)}}},
      {"volumeMounts", mounts}};
  return {{"metadata", pod_metadata(request, component)},
          {"spec",
           {{"automountServiceAccountToken", false},
            {"subdomain", request.name},
            {"restartPolicy", "Never"},
            {"affinity", alone()},
            {"securityContext", {{"fsGroup", request.root ? 0 : user}}},
            {"containers", Json::array({container})},
            {"volumes", volumes}}}};
}

}  // namespace

Objects campaign_job(const ManifestRequest& request, const std::map<std::string, std::string>& files,
                     const std::string& gather) {
  Objects objects{headless_service(request, component)};
  if (!files.empty()) {
    Json data = Json::object();
    for (const auto& [name, content] : files)
      data[name] = content;
    objects.push_back({{"apiVersion", "v1"},
                       {"kind", "ConfigMap"},
                       {"metadata", {{"name", request.name + "-files"}, {"namespace", request.name_space}}},
                       {"data", data}});
  }
  const Json found{{"action", "FailJob"},
                   {"onExitCodes",
                    {{"containerName", component}, {"operator", "In"}, {"values", Json::array({1, 2, 64})}}}};
  const Json ends{{"backoffLimitPerIndex", 0}, {"podFailurePolicy", {{"rules", Json::array({found})}}}};
  objects.push_back(indexed_job_of(request, ends, pod(request, !files.empty(), gather)));
  return objects;
}

}  // namespace mlc
