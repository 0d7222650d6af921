#include "bench/cli/kubernetes_options.hpp"

#include <cstdio>
#include <ctime>
#include <memory>

#include "bench/engine/sweep.hpp"
#include "bench/ranks/launched_as.hpp"
#include "k8s/admission/rehearsal.hpp"
#include "k8s/api/endpoint.hpp"
#include "reports/record/json_reader.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

double seconds_of(const std::string& option, const std::string& text) {
  const auto seconds = parse_seconds(text);
  if (!seconds) throw UsageError(option + " '" + printable(text) + "' is no time", "write 30, 30s or 2m");
  return *seconds;
}

// In this order: what was given, a Pod's own account, $KUBECONFIG.
std::optional<Endpoint> endpoint_of(const KubernetesOptions& options) {
  if (!options.server.empty()) return given_endpoint(options.server, options.ca_file, options.token_file);
  if (!options.kubeconfig.empty()) return kubeconfig_endpoint(options.kubeconfig, options.context);
  if (auto pod = in_cluster_endpoint()) return pod;
  if (const auto named = from_environment("KUBECONFIG"); named && !named->empty())
    return kubeconfig_endpoint(*named, options.context);
  return std::nullopt;
}

void show(const HttpRequest& request) {
  std::printf("%s %s\nContent-Type: %s\n%s\n\n", request.method.c_str(), request.path.c_str(),
              request.content_type.c_str(), read_ordered_json(request.body).dump(2).c_str());
}

nlohmann::json taints_of(const AdmitPolicy& policy) {
  nlohmann::json taints = nlohmann::json::array();
  if (policy.startup_taint)
    taints.push_back({{"key", policy.startup_taint->key},
                      {"value", policy.startup_taint->value},
                      {"effect", policy.startup_taint->effect}});
  return taints;
}

UsageError no_cluster() {
  return UsageError("no cluster is named: this is no Pod, and KUBECONFIG is not set",
                    "name one with --kubeconfig FILE or --server URL");
}

// Everything between the options and a publisher, alive while `use` runs.
Published with_publisher(const KubernetesOptions& options, const AdmitPolicy& policy,
                         const std::function<Published(Publisher&)>& use) {
  options.check();
  const auto endpoint = endpoint_of(options);
  if (!endpoint && options.publish) throw no_cluster();
  std::unique_ptr<Transport> transport;
  if (endpoint) transport = make_transport(*endpoint, seconds_of("--api-timeout", options.timeout));
  if (!options.publish) {
    if (!endpoint) std::fputs("no cluster is named: shown as for a node that has just joined\n", stderr);
    transport = std::make_unique<Rehearsal>(std::move(transport), taints_of(policy), show);
  }
  ApiClient api(
      *transport, [&] { return endpoint ? token_of(*endpoint) : std::string(); },
      {.total_s = seconds_of("--api-patience", options.patience)}, steady_timekeeper());
  Publisher publisher(api, policy,
                      {.settle_s = options.publish ? seconds_of("--settle", options.settle) : 0,
                       .now = [] { return std::time(nullptr); }});
  Published done = use(publisher);
  if (!options.publish) std::fputs("dry run: nothing was sent; --publish sends it\n", stderr);
  return done;
}

}  // namespace

void KubernetesOptions::add_connection_to(CLI::App& command, const std::string& about) {
  command.add_flag("--publish", publish, about)->group("Kubernetes");
  command
      .add_option("--kubeconfig", kubeconfig,
                  "cluster and account (default: the Pod's own, else $KUBECONFIG)")
      ->group("Kubernetes")
      ->type_name("FILE");
  command.add_option("--context", context, "of the kubeconfig (default: its current one)")
      ->group("Kubernetes")
      ->type_name("NAME");
  command.add_option("--server", server, "API server; http only for kubectl proxy on this machine")
      ->group("Kubernetes")
      ->type_name("URL");
  command
      .add_option("--ca", ca_file,
                  "with --server: who signed its certificate (default: the system's authorities)")
      ->group("Kubernetes")
      ->type_name("FILE");
  command.add_option("--token-file", token_file, "with --server: the token, read anew for each request")
      ->group("Kubernetes")
      ->type_name("FILE");
  command.add_option("--api-timeout", timeout, "give one request up after this long (default 15 s)")
      ->group("Kubernetes")
      ->type_name("TIME");
  command
      .add_option("--api-patience", patience,
                  "give the API server up after this long without an answer (default 120 s)")
      ->group("Kubernetes")
      ->type_name("TIME");
}

void KubernetesOptions::add_to(CLI::App& command) {
  add_connection_to(command, "send it; without this what would be sent is shown and nothing changes");
  command
      .add_option("--settle", settle,
                  "look again after this long whether somebody put the taint back (default 5 s)")
      ->group("Kubernetes")
      ->type_name("TIME");
}

void KubernetesOptions::check() const {
  (void)seconds_of("--api-timeout", timeout), (void)seconds_of("--api-patience", patience),
      (void)seconds_of("--settle", settle);
  if (!server.empty() && !kubeconfig.empty())
    throw UsageError("--server and --kubeconfig both name a cluster", "give one of them");
  if (server.empty() && (!ca_file.empty() || !token_file.empty()))
    throw UsageError("--ca and --token-file belong to --server", "a kubeconfig holds its own");
}

void with_api(const KubernetesOptions& options, const std::function<void(ApiClient&)>& use) {
  options.check();
  const auto endpoint = endpoint_of(options);
  if (!endpoint) throw no_cluster();
  const auto transport = make_transport(*endpoint, seconds_of("--api-timeout", options.timeout));
  ApiClient api(
      *transport, [&] { return token_of(*endpoint); },
      {.total_s = seconds_of("--api-patience", options.patience)}, steady_timekeeper());
  use(api);
}

Published publish_to(const KubernetesOptions& options, const AdmitPolicy& policy, const std::string& node,
                     const Decide& decide) {
  if (!is_node_name(node))
    throw UsageError("'" + printable(node) + "' is no name of a node", "kubectl get nodes lists them");
  return with_publisher(options, policy,
                        [&](Publisher& publisher) { return publisher.publish(node, decide); });
}

Published publish_to_fleet(const KubernetesOptions& options, const AdmitPolicy& policy,
                           const Decide& decide) {
  return with_publisher(options, policy, [&](Publisher& publisher) {
    Published all;
    const auto fleet = publisher.fleet();
    publisher.tell_fleet_size(fleet.size());
    for (const auto& view : fleet) {
      if (!decide(view).changes) continue;  // most nodes: one look at the list is enough
      for (const auto& note : publisher.publish(view.name, decide).notes)
        all.notes.push_back(view.name + ": " + note);
      all.changed = true;
    }
    return all;
  });
}

}  // namespace mlc
