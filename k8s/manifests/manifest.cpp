#include "k8s/manifests/manifest.hpp"

#include <algorithm>

#include "k8s/manifests/pod_parts.hpp"

namespace mlc {

namespace {

using Json = nlohmann::ordered_json;

int slots(const ManifestRequest& request) { return std::max(request.gpus, 1); }

std::string home(const ManifestRequest& request) { return request.root ? "/root" : "/home/mpiuser"; }

// What mpirun tells the ranks of other nodes beside their command.
std::vector<std::string> variables(const ManifestRequest& request) {
  std::vector<std::string> all;
  if (request.gpus > 0) {
    all.push_back("NCCL_SOCKET_IFNAME==" + request.interface);  // '=': this name, and not all that begin so
    if (request.rails == 0) all.emplace_back("NCCL_IB_DISABLE=1");
  }
  return all;
}

Json worker_template(const ManifestRequest& request) {
  Json container{
      {"name", "worker"},
      {"image", request.image},
      {"command", {"/usr/sbin/sshd", "-De", "-f", home(request) + "/.sshd_config"}},
      {"securityContext", security_context(request, true, request.rails > 0)},
      {"readinessProbe", {{"tcpSocket", {{"port", 2222}}}, {"periodSeconds", 2}}},
      {"resources", {{"requests", {{"cpu", "2"}, {"memory", "4Gi"}}}, {"limits", pod_limits(request)}}},
      {"volumeMounts", Json::array({{{"name", "shm"}, {"mountPath", "/dev/shm"}}})}};
  // One worker a node, also where no GPUs keep them apart.
  const Json apart{{"podAntiAffinity",
                    {{"requiredDuringSchedulingIgnoredDuringExecution",
                      Json::array({{{"topologyKey", "kubernetes.io/hostname"},
                                    {"labelSelector", {{"matchLabels", labels(request, "worker")}}}}})}}}};
  return {{"metadata", pod_metadata(request, "worker")},
          {"spec",
           {{"automountServiceAccountToken", false},
            {"affinity", apart},
            {"containers", Json::array({container})},
            {"volumes", Json::array({{{"name", "shm"}, {"emptyDir", {{"medium", "Memory"}}}}})}}}};
}

Json launcher_template(const ManifestRequest& request, const std::vector<std::string>& command) {
  return {
      {"metadata", {{"labels", labels(request, "launcher")}}},
      {"spec",
       {{"automountServiceAccountToken", false},
        {"containers", Json::array({{{"name", "launcher"},
                                     {"image", request.image},
                                     {"command", command},
                                     {"securityContext", security_context(request, false, false)},
                                     {"resources", {{"requests", {{"cpu", "1"}, {"memory", "1Gi"}}}}}}})}}}};
}

// Every Pod has sshd; index 0 runs the command beside it, when all the others answer. What is waited for in a
// shell that is process 1 would not be ended by a signal.
constexpr const char* index_0_leads =
    "[ \"$JOB_COMPLETION_INDEX\" = 0 ] || exec /usr/sbin/sshd -De -f \"$0\"\n"
    "trap 'exit 130' TERM INT\n"
    "/usr/sbin/sshd -De -f \"$0\" &\n"
    "for host in $1; do until ssh -o ConnectTimeout=5 \"$host\" true; do sleep 1; done; done\n"
    "shift\n"
    "exec \"$@\"\n";

std::string joined(const std::vector<std::string>& words, char between) {
  std::string text;
  for (const auto& word : words)
    text += (text.empty() ? "" : std::string(1, between)) + word;
  return text;
}

// The mount of the keys, for Pods that no operator gives them to.
void add_keys(Json& pod, const ManifestRequest& request) {
  pod["spec"]["volumes"].push_back(
      {{"name", "ssh"}, {"secret", {{"secretName", request.name + "-ssh"}, {"defaultMode", 0440}}}});
  pod["spec"]["securityContext"] = {{"fsGroup", request.root ? 0 : user}};
  pod["spec"]["containers"][0]["volumeMounts"].push_back(
      {{"name", "ssh"}, {"mountPath", home(request) + "/.ssh"}, {"readOnly", true}});
}

}  // namespace

Objects mpi_job(const ManifestRequest& request) {
  const int ranks = request.nodes * slots(request);
  std::vector<std::string> command{"mpirun",
                                   "--hostfile",
                                   "/etc/mpi/hostfile",
                                   "-n",
                                   std::to_string(ranks),
                                   "--map-by",
                                   "ppr:" + std::to_string(slots(request)) + ":node",
                                   "--bind-to",
                                   "none"};
  if (request.root) command.emplace_back("--allow-run-as-root");
  // Open MPI carries only control and host memory here, over the network that the names lead to.
  for (const char* word :
       {"--mca", "pml", "ob1", "--mca", "btl", "tcp,self,vader", "--mca", "btl_tcp_if_include"})
    command.emplace_back(word);
  command.push_back(request.interface);
  for (const auto& word : {std::string("--mca"), std::string("oob_tcp_if_include"), request.interface})
    command.push_back(word);
  for (const auto& variable : variables(request)) {
    command.emplace_back("-x");
    command.push_back(variable);
  }
  command.emplace_back("mlc-bench");
  command.insert(command.end(), request.command.begin(), request.command.end());
  const Json spec{
      {"slotsPerWorker", slots(request)},
      {"launcherCreationPolicy", "WaitForWorkersReady"},
      {"mpiImplementation", "OpenMPI"},
      {"sshAuthMountPath", home(request) + "/.ssh"},
      {"runPolicy",
       {{"cleanPodPolicy", "Running"},
        {"backoffLimit", 0},
        {"ttlSecondsAfterFinished", 3600},
        {"activeDeadlineSeconds", static_cast<long>(request.deadline_s)}}},
      {"mpiReplicaSpecs",
       {{"Launcher",
         {{"replicas", 1}, {"restartPolicy", "Never"}, {"template", launcher_template(request, command)}}},
        {"Worker",
         {{"replicas", request.nodes},
          {"restartPolicy", "Never"},
          {"template", worker_template(request)}}}}}};
  return {Json{{"apiVersion", "kubeflow.org/v2beta1"},
               {"kind", "MPIJob"},
               {"metadata", object_metadata(request, request.name)},
               {"spec", spec}}};
}

Objects indexed_job(const ManifestRequest& request) {
  Json worker = worker_template(request);
  worker["spec"]["subdomain"] = request.name;
  worker["spec"]["restartPolicy"] = "Never";
  add_keys(worker, request);
  std::vector<std::string> hosts;
  for (int node = 0; node < request.nodes; ++node)
    hosts.push_back(request.name + "-" + std::to_string(node) + "." + request.name);
  std::vector<std::string> command{
      "sh", "-c", index_0_leads, home(request) + "/.sshd_config", joined(hosts, ' '), "mlc-bench"};
  command.insert(command.end(), request.command.begin(), request.command.end());
  for (const auto& word : {std::string("--hosts"), joined(hosts, ','), std::string("--ranks"),
                           std::to_string(request.nodes * slots(request))})
    command.push_back(word);
  Json& container = worker["spec"]["containers"][0];
  container["command"] = command;
  container["env"] = Json::array({{{"name", "OMPI_MCA_pml"}, {"value", "ob1"}},
                                  {{"name", "OMPI_MCA_btl"}, {"value", "tcp,self,vader"}},
                                  {{"name", "OMPI_MCA_btl_tcp_if_include"}, {"value", request.interface}},
                                  {{"name", "OMPI_MCA_oob_tcp_if_include"}, {"value", request.interface}}});
  for (const auto& variable : variables(request)) {
    const auto equals = variable.find('=');
    container["env"].push_back(
        {{"name", variable.substr(0, equals)}, {"value", variable.substr(equals + 1)}});
  }
  // The end of index 0 is the end of all: of a success by the policy, of a failure since nothing is tried
  // again. So no Pod keeps its GPUs.
  const Json ends{{"backoffLimit", 0},
                  {"successPolicy", {{"rules", Json::array({{{"succeededIndexes", "0"}}})}}}};
  return {headless_service(request, "worker"), indexed_job_of(request, ends, worker)};
}

}  // namespace mlc
