#include "validators/policy/dispatch_policy.hpp"

#include <algorithm>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

double read_seconds(YamlMap& map, std::string_view key, double otherwise) {
  const auto text = map.text_if(key);
  if (!text) return otherwise;
  const auto seconds = parse_seconds(*text);
  if (!seconds || *seconds < 1 || *seconds > 60 * 86400)
    map.reject(key, "'" + std::string(key) + "' must be a time from 1 s to 60 days, as in '10 min', got '" +
                        printable(*text) + "'");
  return *seconds;
}

int read_count(YamlMap& map, std::string_view key, int least, int otherwise) {
  return static_cast<int>(map.integer_if(key, least, 100'000).value_or(otherwise));
}

// An RFC 1123 label, as names of namespaces and queues are.
std::string read_name(YamlMap& map, std::string_view key, const std::string& otherwise) {
  const auto text = map.text_if(key);
  if (!text) return otherwise;
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (text->empty() || text->size() > 63 || !plain(text->front()) || !plain(text->back()) ||
      !std::ranges::all_of(*text, [&](char c) { return plain(c) || c == '-'; }))
    map.reject(key, "'" + std::string(key) + "' is no Kubernetes name: '" + printable(*text) + "'");
  return *text;
}

}  // namespace

DispatchPolicy read_dispatch_policy(YamlMap map) {
  DispatchPolicy policy;
  policy.at_once = read_count(map, "at_once", 1, policy.at_once);
  policy.fabric_at_once = read_count(map, "fabric_at_once", 1, policy.fabric_at_once);
  policy.partners = read_count(map, "partners", 1, policy.partners);
  policy.fabric_nodes =
      read_count(map, "fabric_nodes", 2, std::max(policy.fabric_nodes, policy.partners + 1));
  if (policy.fabric_nodes <= policy.partners)
    map.reject("fabric_nodes", "'fabric_nodes' must be above 'partners': a node is no partner of itself");
  policy.gather_s = read_seconds(map, "gather", policy.gather_s);
  policy.retry_first_s = read_seconds(map, "retry_first", policy.retry_first_s);
  policy.retry_most_s = read_seconds(map, "retry_most", std::max(policy.retry_most_s, policy.retry_first_s));
  if (policy.retry_most_s < policy.retry_first_s)
    map.reject("retry_most", "'retry_most' is below 'retry_first'");
  policy.health_every_s = read_seconds(map, "health_every", policy.health_every_s);
  policy.passive_every_s = read_seconds(map, "passive_every", policy.passive_every_s);
  policy.job_namespace = read_name(map, "namespace", policy.job_namespace);
  policy.queue = read_name(map, "queue", policy.queue);
  map.finish();
  return policy;
}

}  // namespace mlc
