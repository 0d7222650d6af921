#include "validators/host/http.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <regex>

#include "reports/record/text.hpp"
#include "validators/host/whole_file.hpp"

namespace mlc {

namespace {

// The host of "https://HOST:PORT/..." or http, in lower case, an IPv6 address without its brackets. Empty of
// all else: a server has no user in front of it, "http://localhost:x@elsewhere" is elsewhere.
std::string host_of(const std::string& url) {
  static const std::regex shape(
      R"(https?://(?:\[([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)\]|([^\[\]@:/?#\\\s]+))(?::[0-9]{1,5})?(?:[/?].*)?)");
  std::smatch parts;
  if (url.size() > 4096 || !std::regex_match(url, parts, shape)) return {};
  std::string host = parts[1].matched ? parts[1].str() : parts[2].str();
  std::ranges::transform(host, host.begin(), [](unsigned char c) { return std::tolower(c); });
  return host;
}

}  // namespace

bool is_this_machine(const std::string& url) {
  std::string host = host_of(url);
  if (host.ends_with('.')) host.pop_back();
  in_addr v4{};
  in6_addr v6{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  if (::inet_pton(AF_INET6, host.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return host == "localhost";
}

std::string checked_server(std::string server, const std::string& origin) {
  while (server.ends_with('/'))
    server.pop_back();
  const std::string host = host_of(server);
  if (!host.empty() && (server.starts_with("https://") || is_this_machine(server))) return server;
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
