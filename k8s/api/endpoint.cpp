#include "k8s/api/endpoint.hpp"

#include <yaml-cpp/binary.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

std::string file_content(const std::string& path, const std::string& what) {
  std::ifstream stream(path, std::ios::binary);
  std::stringstream content;
  if (!stream || !(content << stream.rdbuf()))
    throw EndpointError(what + " cannot be read from " + printable(path));
  return content.str();
}

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

std::string word(const YAML::Node& map, const char* key) {
  const YAML::Node value = map[key];
  return value && value.IsScalar() ? value.Scalar() : std::string();
}

// The entry of a kubeconfig's list with that name: its "cluster", "user" or "context".
YAML::Node named(const YAML::Node& root, const char* list, const char* kind, const std::string& name,
                 const std::string& path) {
  if (root[list] && root[list].IsSequence())
    for (const auto& entry : root[list])
      if (entry.IsMap() && word(entry, "name") == name && entry[kind] && entry[kind].IsMap())
        return entry[kind];
  throw EndpointError(printable(path) + ": there is no " + kind + " '" + printable(name) + "'");
}

// "KEY-data" holds base64, KEY names a file beside the kubeconfig.
std::string pem(const YAML::Node& map, const std::string& key, const std::string& path) {
  if (const std::string data = word(map, (key + "-data").c_str()); !data.empty()) {
    const auto bytes = YAML::DecodeBase64(data);
    if (bytes.empty()) throw EndpointError(printable(path) + ": " + key + "-data is no base64");
    return {bytes.begin(), bytes.end()};
  }
  const std::string file = word(map, key.c_str());
  if (file.empty()) return {};
  return file_content((std::filesystem::path(path).parent_path() / file).string(), key);
}

}  // namespace

std::string token_of(const Endpoint& endpoint) {
  if (!endpoint.over_tls()) return {};
  std::string token = endpoint.token;
  if (!endpoint.token_file.empty()) {
    token = file_content(endpoint.token_file, "the token");
    if (token.find_first_not_of(" \t\r\n") == std::string::npos)
      throw EndpointError("the token file " + printable(endpoint.token_file) + " is empty");
  }
  while (!token.empty() && std::string_view(" \t\r\n").find(token.back()) != std::string_view::npos)
    token.pop_back();
  // A line break would begin another header.
  for (const unsigned char c : token)
    if (c <= 0x20 || c >= 0x7f) throw EndpointError("the token holds a character that no token has");
  return token;
}

std::optional<Endpoint> in_cluster_endpoint(
    const std::function<std::optional<std::string>(const std::string&)>& environment,
    const std::string& account) {
  const auto host = environment("KUBERNETES_SERVICE_HOST");
  const auto port = environment("KUBERNETES_SERVICE_PORT_HTTPS");
  if (!host || host->empty()) return std::nullopt;
  Endpoint endpoint;
  endpoint.origin = "service account";
  const bool bare_ipv6 = host->find(':') != std::string::npos;
  endpoint.server = checked_server(
      "https://" + (bare_ipv6 ? "[" + *host + "]" : *host) + ":" + (port && !port->empty() ? *port : "443"),
      "KUBERNETES_SERVICE_HOST");
  endpoint.ca_pem = file_content(account + "/ca.crt", "the cluster's certificate authority");
  endpoint.token_file = account + "/token";
  return endpoint;
}

Endpoint kubeconfig_endpoint(const std::string& path, const std::string& context) {
  YAML::Node root;
  try {
    root = YAML::Load(file_content(path, "the kubeconfig"));
  } catch (const YAML::Exception& error) {
    throw EndpointError(printable(path) + ":" + std::to_string(error.mark.line + 1) + ": not valid YAML");
  }
  if (!root.IsMap()) throw EndpointError(printable(path) + ": no kubeconfig");
  const std::string chosen = context.empty() ? word(root, "current-context") : context;
  if (chosen.empty()) throw EndpointError(printable(path) + ": no current-context; name one with --context");
  const YAML::Node in = named(root, "contexts", "context", chosen, path);
  const YAML::Node cluster = named(root, "clusters", "cluster", word(in, "cluster"), path);
  const YAML::Node user = named(root, "users", "user", word(in, "user"), path);
  Endpoint endpoint;
  endpoint.origin = "kubeconfig " + printable(path) + ", context " + printable(chosen);
  endpoint.server = checked_server(word(cluster, "server"), printable(path));
  if (word(cluster, "insecure-skip-tls-verify") == "true")
    throw EndpointError(printable(path) +
                        ": insecure-skip-tls-verify is set; the server is verified always. "
                        "Give the cluster a certificate-authority");
  endpoint.ca_pem = pem(cluster, "certificate-authority", path);
  endpoint.client_certificate_pem = pem(user, "client-certificate", path);
  endpoint.client_key_pem = pem(user, "client-key", path);
  if (endpoint.client_certificate_pem.empty() != endpoint.client_key_pem.empty())
    throw EndpointError(printable(path) + ": a client certificate needs its key, and a key its certificate");
  endpoint.token = word(user, "token");
  if (const std::string file = word(user, "tokenFile"); !file.empty())
    endpoint.token_file = (std::filesystem::path(path).parent_path() / file).string();
  if (endpoint.token.empty() && endpoint.token_file.empty() && endpoint.client_certificate_pem.empty() &&
      (user["exec"] || user["auth-provider"]))
    throw EndpointError(printable(path) + ": user '" + printable(word(in, "user")) +
                        "' logs in by running a program, which is not done here; use a token "
                        "(kubectl create token) or kubectl proxy with --server http://127.0.0.1:8001");
  return endpoint;
}

Endpoint given_endpoint(const std::string& server, const std::string& ca_file,
                        const std::string& token_file) {
  Endpoint endpoint;
  endpoint.origin = "--server";
  endpoint.server = checked_server(server, "--server");
  if (!ca_file.empty()) endpoint.ca_pem = file_content(ca_file, "the certificate authority");
  endpoint.token_file = token_file;
  return endpoint;
}

}  // namespace mlc
