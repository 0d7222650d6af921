// One GET to the API server with the Pod's own account. libcurl is loaded at run time, so that nothing is
// linked for the two checks that ask; where it is absent they say so.
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "validators/host/live_sources.hpp"
#include "validators/host/shared_library.hpp"

namespace mlc {

namespace {

constexpr std::string_view account = "/var/run/secrets/kubernetes.io/serviceaccount/";
constexpr std::size_t most = 64u << 20;  // a list of all Pods of a large cluster

// From curl.h: option numbers are part of libcurl's ABI.
enum Option {
  writedata = 10001,
  url = 10002,
  httpheader = 10023,
  cainfo = 10065,
  timeout_ms = 155,
  nosignal = 99,
  writefunction = 20011
};
constexpr int response_code = 0x200002;

std::size_t collect(char* bytes, std::size_t size, std::size_t count, void* into) {
  auto& body = *static_cast<std::string*>(into);
  if (body.size() + size * count > most) return 0;  // curl turns this into an error
  body.append(bytes, size * count);
  return size * count;
}

}  // namespace

Answer ask_kubernetes(const std::string& path) {
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT_HTTPS");
  if (!host || !port) return {ENOENT, "not in a Pod: KUBERNETES_SERVICE_HOST is not set", nullptr};
  std::ifstream token_file(std::string(account) + "token");
  // The token is rotated, so it is read for every request.
  const std::string token((std::istreambuf_iterator<char>(token_file)), {});
  if (token.empty()) return {EACCES, "no service account token is mounted", nullptr};
  const SharedLibrary curl("libcurl.so.4");
  if (!curl) return {ENOENT, "libcurl cannot be loaded: " + curl.why(), nullptr};
  const auto init = curl.find<void*()>("curl_easy_init");
  const auto cleanup = curl.find<void(void*)>("curl_easy_cleanup");
  const auto set = curl.find<int(void*, int, ...)>("curl_easy_setopt");
  const auto perform = curl.find<int(void*)>("curl_easy_perform");
  const auto info = curl.find<int(void*, int, ...)>("curl_easy_getinfo");
  const auto append = curl.find<void*(void*, const char*)>("curl_slist_append");
  const auto free_list = curl.find<void(void*)>("curl_slist_free_all");
  const auto describe = curl.find<const char*(int)>("curl_easy_strerror");
  if (!init || !cleanup || !set || !perform || !info || !append || !free_list || !describe)
    return {ENOSYS, "libcurl lacks a basic symbol", nullptr};

  const std::string authority =
      std::string(host).find(':') == std::string::npos ? host : "[" + std::string(host) + "]";
  const std::string address = "https://" + authority + ":" + port + path;
  const std::string certificate = std::string(account) + "ca.crt";
  std::string body;
  void* headers = append(nullptr, ("Authorization: Bearer " + token).c_str());
  headers = append(headers, "Accept: application/json");
  void* handle = init();
  set(handle, url, address.c_str());
  set(handle, cainfo, certificate.c_str());
  set(handle, httpheader, headers);
  set(handle, writefunction, &collect);
  set(handle, writedata, &body);
  set(handle, timeout_ms, 4000L);
  set(handle, nosignal, 1L);  // checks run on threads
  const int rc = perform(handle);
  long status = 0;
  info(handle, response_code, &status);
  cleanup(handle);
  free_list(headers);
  if (rc != 0) return {EIO, "GET " + path + ": " + describe(rc), nullptr};
  if (status != 200)
    return {status == 403 || status == 401 ? EACCES : EIO, "GET " + path + ": HTTP " + std::to_string(status),
            nullptr};
  const auto document = nlohmann::json::parse(body, nullptr, false);
  if (document.is_discarded()) return {EBADMSG, "GET " + path + ": the answer is no JSON", nullptr};
  return {0, {}, document};
}

}  // namespace mlc
