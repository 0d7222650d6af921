#include "validators/host/http.hpp"

#include <cstdlib>

#include "reports/record/text.hpp"
#include "validators/host/whole_file.hpp"

namespace mlc {

std::string checked_server(std::string server, const std::string& origin) {
  while (server.ends_with('/'))
    server.pop_back();
  const auto host_is = [&](const std::string& host) {
    const std::string prefix = "http://" + host;
    return server == prefix || server.starts_with(prefix + ":");
  };
  if (server.starts_with("https://") && server.size() > 8) return server;
  if (host_is("localhost") || host_is("127.0.0.1") || host_is("[::1]")) return server;
  throw EndpointError(
      origin + ": the server must be https://HOST:PORT (http only for kubectl proxy on this machine), got '" +
      printable(server) + "'");
}

std::string credential(const std::string& path, const std::string& what) {
  std::string content, why = "it is empty";
  try {
    content = read_whole(path, {.bytes = 1 << 20, .pipes = true});
  } catch (const std::exception& error) {
    why = error.what();
  }
  if (content.find_first_not_of(" \t\r\n") == std::string::npos)
    throw EndpointError(what + " cannot be read from " + printable(path) + ": " + why);
  return content;
}

std::string token_of(const Endpoint& endpoint) {
  if (!endpoint.over_tls()) return {};
  std::string token =
      endpoint.token_file.empty() ? endpoint.token : credential(endpoint.token_file, "the token");
  while (!token.empty() && std::string_view(" \t\r\n").find(token.back()) != std::string_view::npos)
    token.pop_back();
  // A line break would begin another header.
  for (const unsigned char c : token)
    if (c <= 0x20 || c >= 0x7f) throw EndpointError("the token holds a character that no token has");
  return token;
}

std::optional<Endpoint> in_cluster_endpoint() {
  const std::string account = "/var/run/secrets/kubernetes.io/serviceaccount";
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr ? value : "");
  };
  const std::string host = variable("KUBERNETES_SERVICE_HOST"),
                    port = variable("KUBERNETES_SERVICE_PORT_HTTPS");
  if (host.empty()) return std::nullopt;
  Endpoint endpoint;
  endpoint.origin = "service account";
  const bool bare_ipv6 = host.find(':') != std::string::npos;
  endpoint.server =
      checked_server("https://" + (bare_ipv6 ? "[" + host + "]" : host) + ":" + (port.empty() ? "443" : port),
                     "KUBERNETES_SERVICE_HOST");
  endpoint.ca_pem = credential(account + "/ca.crt", "the cluster's certificate authority");
  endpoint.token_file = account + "/token";
  return endpoint;
}

}  // namespace mlc
