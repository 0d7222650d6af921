// One HTTP request and its answer, and what carries them. The only HTTP client of this program.
#pragma once

#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace mlc {

// The way to a server is not usable as configured. what() never holds a token or a key.
struct EndpointError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A server, and who we are to it.
struct Endpoint {
  std::string server;      // "https://10.0.0.1:6443", without a slash at the end
  std::string ca_pem;      // who may sign the server's certificate; empty: the system's authorities
  std::string token_file;  // read anew for every request, since the kubelet replaces it
  std::string token;       // where there is no file
  std::string client_certificate_pem, client_key_pem;
  std::string origin;  // "service account", "kubeconfig /root/.kube/config, context lab"

  bool over_tls() const { return server.starts_with("https://"); }
};

// As a URL without a slash at the end: https, or http to this machine (kubectl proxy). Throws EndpointError.
std::string checked_server(std::string server, const std::string& origin);

// localhost, 127.0.0.0/8 or ::1, whatever port and path follow.
bool is_this_machine(const std::string& url);

// A certificate, key or token. Throws EndpointError where it cannot be read or is empty: an authority that
// says nothing must not become every authority of the system.
std::string credential(const std::string& path, const std::string& what);

// The token to send now; empty where there is none, or where it would go unencrypted. Throws EndpointError.
std::string token_of(const Endpoint& endpoint);

// What a Pod is given: KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT_HTTPS and the files of its service
// account. Empty outside a Pod. Throws EndpointError where a part is missing.
std::optional<Endpoint> in_cluster_endpoint();

// Puts what is kept of the next piece of an answer behind what was kept so far.
using BodyFilter = std::function<void(std::string_view piece, std::string& kept)>;

struct HttpRequest {
  std::string method, path;  // path: from the slash on, with the query
  std::string content_type, body;
  std::string accept = "application/json";
  // Asked for one with each try, so that an answer that broke off leaves nothing behind; empty: all is kept.
  std::function<BodyFilter()> filter = {};
};

struct HttpResponse {
  int status = 0;
  std::string body;
  std::optional<double> retry_after_s;
  std::optional<std::time_t> date;  // by the server's clock
};

// No answer, or only a part of one. Permanent: asking again cannot help (a certificate that does not verify).
struct TransportError : std::runtime_error {
  TransportError(const std::string& what, bool is_permanent)
      : std::runtime_error(what), permanent(is_permanent) {}
  bool permanent;
};

class Transport {
 public:
  virtual ~Transport() = default;
  // `token`: for the Authorization header, empty for none; it is never part of an error's text. Throws
  // TransportError.
  virtual HttpResponse send(const HttpRequest& request, const std::string& token) = 0;
};

// Over libcurl. The server's certificate is verified always. `timeout_s` is for one request as a whole.
// Throws std::runtime_error where this program was built without libcurl.
std::unique_ptr<Transport> make_transport(const Endpoint& endpoint, double timeout_s);

// Why there is no HTTP client in this program; empty where there is one.
std::string transport_absent();

}  // namespace mlc
