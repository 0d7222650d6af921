#include "k8s/ipam/reading.hpp"

#include <functional>
#include <nlohmann/json.hpp>

#include "k8s/api/request_text.hpp"
#include "reports/record/json_reader.hpp"
#include "reports/record/text.hpp"

namespace mlc::ipam {

namespace {

constexpr const char* whereabouts = "/apis/whereabouts.cni.cncf.io/v1alpha1/";
// A page's token lives as long as etcd keeps old revisions (5 minutes); a list that is too slow for that
// three times is too slow for ever.
constexpr int most_restarts = 3;
constexpr std::size_t most_pages = 5000;
// 10,000 nodes of eight Pods on four rails are 320,000; about 200 bytes each are kept.
constexpr std::size_t most_entries = 4'000'000;

const char* const what_now = "is there a proxy between this machine and the API server?";

HttpRequest get(const std::string& path, const std::string& accept = "application/json") {
  HttpRequest request;
  request.method = "GET", request.path = path, request.accept = accept;
  return request;
}

nlohmann::json parsed(const HttpResponse& response, const std::string& path) {
  try {
    return read_json(response.body);
  } catch (const JsonError& error) {
    throw ApiError("GET " + path + ": the answer is no JSON: " + error.what(), what_now);
  }
}

std::string next_page(const nlohmann::json& page) {
  const auto metadata = page.is_object() ? page.find("metadata") : page.end();
  if (!page.is_object() || metadata == page.end() || !metadata->is_object()) return {};
  const auto from = metadata->find("continue");
  return from != metadata->end() && from->is_string() ? from->get<std::string>() : std::string();
}

// `path` has its query already. False: there is no such resource. `fresh` is called before the first page,
// and again where the list begins anew.
bool read_list(ApiClient& api, const std::string& path, const std::string& accept,
               const std::function<void()>& fresh,
               const std::function<std::string(const nlohmann::json&)>& add) {
  const std::string name = path.substr(0, path.find('?'));
  fresh();
  std::string from;
  int restarts = 0;
  for (std::size_t pages = 0;;) {
    if (++pages > most_pages)
      throw ApiError(
          "GET " + name + ": the list has no end: " + std::to_string(most_pages) + " pages were read",
          what_now);
    const auto response =
        api.send(get(from.empty() ? path : path + "&continue=" + query_escaped(from), accept));
    if (response.status == 404) return false;
    if (response.status == 410) {
      if (++restarts > most_restarts)
        throw ApiError("GET " + name + ": the list was too old to go on with (HTTP 410) " +
                           std::to_string(restarts) + " times",
                       "the API server is slow, or compacts too often: try again when it is quieter");
      from.clear();
      fresh();
      continue;
    }
    if (response.status < 200 || response.status >= 300)
      throw ApiError("GET " + name + ": HTTP " + std::to_string(response.status), what_now);
    const auto page = parsed(response, name);
    if (const std::string why = add(page); !why.empty())
      throw ApiError("GET " + name + ": the answer is no list: " + why, what_now);
    from = next_page(page);
    if (from.empty()) return true;
  }
}

void require_bounded(const Records& records) {
  if (records.allocations.size() + records.reservations.size() + records.pods.size() > most_entries)
    throw ApiError("the cluster has more than " + std::to_string(most_entries) + " addresses",
                   "this is more than one run keeps; is a pool filled by a loop?");
}

}  // namespace

std::optional<Records> read_records(ApiClient& api) {
  Records records;
  const auto bounded = [&](std::string why) {
    require_bounded(records);
    return why;
  };
  // An IPPool is one object of up to 1.5 MB, whatever etcd takes at once.
  const bool pools = read_list(
      api, std::string(whereabouts) + "ippools?limit=10", "application/json", [&] { records = {}; },
      [&](const nlohmann::json& page) { return bounded(add_pools(records, page)); });
  if (!pools) return std::nullopt;
  const auto named_by_pools = records.named;
  // With "enable_overlapping_ranges": false there are none, or not even the resource.
  read_list(
      api, std::string(whereabouts) + "overlappingrangeipreservations?limit=500", "application/json",
      [&] { records.reservations.clear(), records.named = named_by_pools; },
      [&](const nlohmann::json& page) { return bounded(add_reservations(records, page)); });
  // A Pod that has ended holds no address; the server leaves it out, so that no status has to be read.
  const std::string pods =
      "/api/v1/pods?limit=500&fieldSelector=" + query_escaped("status.phase!=Succeeded,status.phase!=Failed");
  if (!read_list(
          api, pods, "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
          [&] { records.pods.clear(), records.pods_seen = 0; },
          [&](const nlohmann::json& page) { return bounded(add_pods(records, page)); }))
    throw ApiError("GET /api/v1/pods: HTTP 404", what_now);
  return records;
}

std::string node_of(ApiClient& api, const std::string& pod) {
  const auto slash = pod.find('/');
  if (slash == pod.npos) return {};
  // Names as the API writes them; a podref that is something else must not become another path.
  const auto plain = [](std::string_view text) {
    return !text.empty() && text.size() <= 253 &&
           text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == text.npos;
  };
  const std::string space = pod.substr(0, slash), name = pod.substr(slash + 1);
  if (!plain(space) || !plain(name) || space.find('.') != space.npos) return {};
  const std::string path =
      "/api/v1/namespaces/" + space + "/pods?limit=1&fieldSelector=" + query_escaped("metadata.name=" + name);
  const auto response = api.send(get(path, "application/json;as=Table;v=v1;g=meta.k8s.io"));
  if (response.status != 200) return {};
  return node_in_table(parsed(response, path));
}

}  // namespace mlc::ipam
