#include <curl/curl.h>

#include <array>
#include <source_location>

#include "validators/host/http.hpp"

namespace mlc {

namespace {

// A list of every node of a large cluster is below it.
constexpr std::size_t largest_answer_bytes = 64u << 20;
// Of what comes, where not all of it is kept.
constexpr std::size_t largest_filtered_bytes = 256u << 20;

struct CloseHandle {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using CurlHandle = std::unique_ptr<CURL, CloseHandle>;
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

void check(CURLcode code, std::source_location at = std::source_location::current()) {
  if (code != CURLE_OK)
    throw std::runtime_error(std::string("libcurl: ") + curl_easy_strerror(code) + " (" + at.file_name() +
                             ":" + std::to_string(at.line()) + ")");
}

struct Collected {
  std::string& body;
  BodyFilter filter;
  std::size_t came = 0;
};

std::size_t collect(char* bytes, std::size_t size, std::size_t count, void* into) {
  auto& answer = *static_cast<Collected*>(into);
  const std::string_view piece(bytes, size * count);
  answer.came += piece.size();
  // 0: libcurl makes an error of it.
  if (answer.came > (answer.filter ? largest_filtered_bytes : largest_answer_bytes)) return 0;
  if (answer.filter)
    answer.filter(piece, answer.body);
  else
    answer.body.append(piece);
  return answer.body.size() > largest_answer_bytes ? 0 : piece.size();
}

// Other certificates will not come by asking again.
bool is_permanent(CURLcode code) {
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return true;
    default:
      return false;
  }
}

class CurlTransport : public Transport {
 public:
  CurlTransport(Endpoint endpoint, double timeout_s)
      : endpoint_(std::move(endpoint)), handle_(curl_easy_init()) {
    if (!handle_) throw std::runtime_error("libcurl cannot be initialised");
    CURL* curl = handle_.get();
    check(curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L));
    check(curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, endpoint_.over_tls() ? "https" : "http"));
    check(curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L));  // a token goes nowhere else
    check(curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(timeout_s * 500)));
    check(curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout_s * 1000)));
    check(curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L));
    check(curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L));
    check(curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &collect));
    check(curl_easy_setopt(curl, CURLOPT_USERAGENT, "mlc-bench"));
    if (!endpoint_.ca_pem.empty()) {
      blob(CURLOPT_CAINFO_BLOB, endpoint_.ca_pem);
      check(curl_easy_setopt(curl, CURLOPT_CAPATH, nullptr));  // else the system's authorities count too
    }
    if (!endpoint_.client_certificate_pem.empty()) {
      blob(CURLOPT_SSLCERT_BLOB, endpoint_.client_certificate_pem);
      blob(CURLOPT_SSLKEY_BLOB, endpoint_.client_key_pem);
    }
  }

  HttpResponse send(const HttpRequest& request, const std::string& token) override {
    CURL* curl = handle_.get();
    HttpResponse response;
    Collected answer{response.body, request.filter ? request.filter() : BodyFilter()};
    HeaderList headers;
    const auto add = [&](const std::string& header) {
      curl_slist* longer = curl_slist_append(headers.get(), header.c_str());
      if (longer == nullptr) throw std::bad_alloc();
      (void)headers.release();
      headers.reset(longer);
    };
    add("Accept: " + request.accept);
    add("Expect:");
    if (!token.empty()) add("Authorization: Bearer " + token);
    if (!request.body.empty()) add("Content-Type: " + request.content_type);
    const std::string url = endpoint_.server + request.path;
    check(curl_easy_setopt(curl, CURLOPT_URL, url.c_str()));
    // `kubectl proxy` on this machine: no proxy of the site's can reach that.
    if (is_this_machine(endpoint_.server)) check(curl_easy_setopt(curl, CURLOPT_NOPROXY, "*"));
    check(curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get()));
    check(curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer));
    if (request.body.empty()) {
      check(curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L));
    } else {
      check(
          curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size())));
      check(curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data()));
    }
    check(curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str()));
    std::array<char, CURL_ERROR_SIZE> detail{};
    check(curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail.data()));
    const CURLcode code = curl_easy_perform(curl);
    check(curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr));
    check(curl_easy_setopt(curl, CURLOPT_HTTPHEADER, nullptr));
    if (code != CURLE_OK)
      throw TransportError(detail[0] != '\0' ? detail.data() : curl_easy_strerror(code), is_permanent(code));
    long status = 0;
    check(curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status));
    curl_off_t wait_s = 0;
    check(curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &wait_s));
    response.status = static_cast<int>(status);
    if (wait_s > 0) response.retry_after_s = static_cast<double>(wait_s);
    curl_header* date = nullptr;
    if (curl_easy_header(curl, "Date", 0, CURLH_HEADER, -1, &date) == CURLHE_OK)
      if (const std::time_t at = curl_getdate(date->value, nullptr); at != -1) response.date = at;
    return response;
  }

 private:
  void blob(CURLoption option, std::string& content) {
    curl_blob value{content.data(), content.size(), CURL_BLOB_COPY};
    check(curl_easy_setopt(handle_.get(), option, &value));
  }

  Endpoint endpoint_;
  CurlHandle handle_;
};

}  // namespace

std::string transport_absent() { return {}; }

std::unique_ptr<Transport> make_transport(const Endpoint& endpoint, double timeout_s) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  check(initialised);
  return std::make_unique<CurlTransport>(endpoint, timeout_s);
}

}  // namespace mlc
