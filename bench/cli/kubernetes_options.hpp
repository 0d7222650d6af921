// Which cluster, and whether anything is sent: the options that `admit` and `burnin` share.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "k8s/admission/publisher.hpp"
#include "k8s/api/api_client.hpp"
#include "validators/policy/policy.hpp"

namespace mlc {

struct KubernetesOptions {
  bool publish = false;  // else a dry run
  std::string kubeconfig, context, server, ca_file, token_file;
  std::string timeout = "15", patience = "120", settle = "5";

  void add_to(CLI::App& command);
  // Without what belongs to writing to a node. `about`: what --publish sends.
  void add_connection_to(CLI::App& command, const std::string& about);
  // Throws UsageError for what is wrong with the options, EndpointError for what is wrong with a file.
  void check() const;
};

// Asks the cluster that the options name; what `use` reads is read, published or not. Throws ApiError.
void with_api(const KubernetesOptions& options, const std::function<void(ApiClient&)>& use);

// What is to be done to which node. Dry: prints on stdout what would be sent, and says so. Throws ApiError.
Published publish_to(const KubernetesOptions& options, const AdmitPolicy& policy, const std::string& node,
                     const Decide& decide);

// As publish_to, over every node of the policy's fleet; the notes carry the node's name.
Published publish_to_fleet(const KubernetesOptions& options, const AdmitPolicy& policy, const Decide& decide);

}  // namespace mlc
