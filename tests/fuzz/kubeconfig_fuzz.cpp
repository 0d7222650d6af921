// Any text as a kubeconfig: an endpoint over TLS or to this machine, or EndpointError.
#include <cstdint>
#include <cstdlib>

#include "k8s/api/endpoint.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    const auto endpoint = mlc::endpoint_from_kubeconfig(text, "/nowhere/kubeconfig", "");
    if (!endpoint.over_tls() && !endpoint.server.starts_with("http://")) std::abort();
    (void)mlc::token_of(endpoint);
  } catch (const mlc::EndpointError&) {
  }
  return 0;
}
