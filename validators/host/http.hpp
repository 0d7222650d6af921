// One HTTP request and its answer, and what carries them.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

namespace mlc {

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

struct HttpRequest {
  std::string method, path;  // path: from the slash on, with the query
  std::string content_type, body;
  std::string accept = "application/json";
};

struct HttpResponse {
  int status = 0;
  std::string body;
  std::optional<double> retry_after_s;
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
