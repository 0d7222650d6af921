// One HTTP request and its answer, and what carries them.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

namespace mlc {

struct Endpoint;

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
