#include "k8s/manifests/pod_parts.hpp"

#include <vector>

namespace mlc {

namespace {

using Json = nlohmann::ordered_json;

}  // namespace

Json labels(const ManifestRequest& request, const std::string& component) {
  return {{"app.kubernetes.io/name", "mlc-bench"},
          {"app.kubernetes.io/instance", request.name},
          {"app.kubernetes.io/component", component}};
}

Json object_metadata(const ManifestRequest& request, const std::string& name) {
  Json metadata{{"name", name}, {"namespace", request.name_space}};
  if (!request.queue.empty()) metadata["labels"] = {{"kueue.x-k8s.io/queue-name", request.queue}};
  return metadata;
}

Json pod_metadata(const ManifestRequest& request, const std::string& component) {
  Json metadata{{"labels", labels(request, component)}};
  std::string networks;
  for (int rail = 0; rail < request.rails; ++rail)
    networks += (rail ? ",rail" : "rail") + std::to_string(rail) + "@net" + std::to_string(rail + 1);
  if (!networks.empty()) metadata["annotations"] = {{"k8s.v1.cni.cncf.io/networks", networks}};
  return metadata;
}

Json pod_limits(const ManifestRequest& request) {
  Json limits = Json::object();
  if (request.gpus > 0) limits["nvidia.com/gpu"] = std::to_string(request.gpus);
  for (int rail = 0; rail < request.rails; ++rail)
    limits["mlc.io/rail" + std::to_string(rail)] = "1";
  return limits;
}

Json security_context(const ManifestRequest& request, bool sshd, bool pins_memory) {
  Json context{{"runAsUser", request.root ? 0 : user},
               {"runAsNonRoot", !request.root},
               {"allowPrivilegeEscalation", false},
               {"seccompProfile", {{"type", "RuntimeDefault"}}},
               {"capabilities", {{"drop", {"ALL"}}}}};
  std::vector<std::string> added;
  if (pins_memory) added.emplace_back("IPC_LOCK");
  if (request.root && sshd)
    added.insert(added.end(), {"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "SETGID", "SETUID", "SYS_CHROOT"});
  if (!added.empty()) context["capabilities"]["add"] = added;
  return context;
}

Json indexed_job_of(const ManifestRequest& request, const Json& ends, const Json& pod) {
  Json spec{{"completionMode", "Indexed"}, {"completions", request.nodes}, {"parallelism", request.nodes}};
  spec.update(ends);
  spec["activeDeadlineSeconds"] = static_cast<long>(request.deadline_s);
  spec["ttlSecondsAfterFinished"] = 3600;
  spec["template"] = pod;
  return {{"apiVersion", "batch/v1"},
          {"kind", "Job"},
          {"metadata", object_metadata(request, request.name)},
          {"spec", spec}};
}

Json headless_service(const ManifestRequest& request, const std::string& component) {
  return {{"apiVersion", "v1"},
          {"kind", "Service"},
          {"metadata", {{"name", request.name}, {"namespace", request.name_space}}},
          {"spec",
           {{"clusterIP", "None"},
            {"publishNotReadyAddresses", true},
            {"selector", labels(request, component)}}}};
}

}  // namespace mlc
