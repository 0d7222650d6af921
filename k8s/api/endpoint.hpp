// Where the API server is, and who we are to it: from the Pod's service account, a kubeconfig, or as given.
#pragma once

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>

#include "validators/host/http.hpp"

namespace mlc {

// The way to the API server is not usable as configured. what() never holds a token or a key.
struct EndpointError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The token to send now; empty where there is none, or where it would go unencrypted. Throws EndpointError.
std::string token_of(const Endpoint& endpoint);

// What a Pod is given: KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT_HTTPS and the files below `account`.
// Empty outside a Pod. Throws EndpointError where a part is missing.
std::optional<Endpoint> in_cluster_endpoint(
    const std::function<std::optional<std::string>(const std::string&)>& environment,
    const std::string& account = "/var/run/secrets/kubernetes.io/serviceaccount");

// `context` empty: the file's current one. Throws EndpointError: no such file or context, TLS verification
// switched off, or a login by running a program (which this one does not do).
Endpoint kubeconfig_endpoint(const std::string& path, const std::string& context);

// Plain http is for `kubectl proxy` on this machine only. Empty names: no token, the system's authorities.
Endpoint given_endpoint(const std::string& server, const std::string& ca_file, const std::string& token_file);

}  // namespace mlc
