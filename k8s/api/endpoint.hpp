// Where the API server is, and who we are to it: from a kubeconfig, or as given.
#pragma once

#include <string>

#include "validators/host/http.hpp"

namespace mlc {

// `context` empty: the file's current one. Throws EndpointError: no such file or context, TLS verification
// switched off, or a login by running a program (which this one does not do).
Endpoint kubeconfig_endpoint(const std::string& path, const std::string& context);
// The same of what it says; files that it names are beside `path`.
Endpoint endpoint_from_kubeconfig(const std::string& content, const std::string& path,
                                  const std::string& context);

// Plain http is for `kubectl proxy` on this machine only. Empty names: no token, the system's authorities.
Endpoint given_endpoint(const std::string& server, const std::string& ca_file, const std::string& token_file);

}  // namespace mlc
