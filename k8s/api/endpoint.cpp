#include "k8s/api/endpoint.hpp"

#include <yaml-cpp/binary.h>

#include <filesystem>
#include <vector>

#include "reports/record/text.hpp"
#include "validators/policy/yaml_document.hpp"

namespace mlc {

namespace {

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
    // yaml-cpp 0.7 looks up any other byte beside its table.
    constexpr std::string_view known =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= \t\r\n";
    const bool is_base64 = data.find_first_not_of(known) == std::string::npos;
    const auto bytes = is_base64 ? YAML::DecodeBase64(data) : std::vector<unsigned char>();
    if (bytes.empty()) throw EndpointError(printable(path) + ": " + key + "-data is no base64");
    return {bytes.begin(), bytes.end()};
  }
  const std::string file = word(map, key.c_str());
  if (file.empty()) return {};
  return credential((std::filesystem::path(path).parent_path() / file).string(), key);
}

}  // namespace

Endpoint kubeconfig_endpoint(const std::string& path, const std::string& context) {
  return endpoint_from_kubeconfig(credential(path, "the kubeconfig"), path, context);
}

Endpoint endpoint_from_kubeconfig(const std::string& content, const std::string& path,
                                  const std::string& context) {
  YAML::Node root;
  try {
    root = yaml_document(content);
  } catch (const YamlError& error) {
    throw EndpointError(printable(path) + ":" + (error.line > 0 ? std::to_string(error.line) : "?") + ": " +
                        error.what());
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
  if (!ca_file.empty()) endpoint.ca_pem = credential(ca_file, "the certificate authority");
  endpoint.token_file = token_file;
  return endpoint;
}

}  // namespace mlc
