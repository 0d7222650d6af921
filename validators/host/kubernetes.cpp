// One GET to the API server with the Pod's own account.
#include <cerrno>

#include "reports/record/json_reader.hpp"
#include "validators/host/http.hpp"
#include "validators/host/live_sources.hpp"

namespace mlc {

Answer ask_kubernetes(const std::string& path) {
  constexpr double patience_s = 4;
  if (const auto why = transport_absent(); !why.empty())
    return {ENOSYS, "there is no HTTP client: " + why, nullptr};
  try {
    const auto endpoint = in_cluster_endpoint();
    if (!endpoint) return {ENOENT, "not in a Pod: KUBERNETES_SERVICE_HOST is not set", nullptr};
    HttpRequest request;
    request.method = "GET", request.path = path;
    const HttpResponse response = make_transport(*endpoint, patience_s)->send(request, token_of(*endpoint));
    if (response.status != 200)
      return {response.status == 403 || response.status == 401 ? EACCES : EIO,
              "GET " + path + ": HTTP " + std::to_string(response.status), nullptr};
    return {0, {}, read_json(response.body)};
  } catch (const JsonError& error) {
    return {EBADMSG, "GET " + path + ": the answer is no JSON: " + error.what(), nullptr};
  } catch (const EndpointError& error) {
    return {EACCES, error.what(), nullptr};
  } catch (const std::exception& error) {
    return {EIO, "GET " + path + ": " + error.what(), nullptr};
  }
}

}  // namespace mlc
