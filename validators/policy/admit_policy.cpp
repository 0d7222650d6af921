#include "validators/policy/admit_policy.hpp"

#include <algorithm>
#include <array>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// A label's value or the name part of its key: at most 63 letters, digits, '-', '_' and '.', a letter or
// digit at both ends (apimachinery, qualified names).
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 63 && is_alphanumeric(text.front()) &&
         is_alphanumeric(text.back()) && std::ranges::all_of(text, [](char c) {
           return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
         });
}

bool is_qualified_name(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return is_name(text);
  const std::string_view domain = text.substr(0, slash);
  return !domain.empty() && domain.size() <= 253 && is_alphanumeric(domain.front()) &&
         std::ranges::all_of(domain, [](char c) { return is_alphanumeric(c) || c == '-' || c == '.'; }) &&
         is_name(text.substr(slash + 1));
}

Taint read_taint(YamlMap& map, std::string_view key) {
  const std::string text = map.text(key);
  Taint taint;
  const auto colon = text.rfind(':');
  if (colon != std::string::npos) taint.effect = text.substr(colon + 1);
  const std::string pair = text.substr(0, colon);
  const auto equals = pair.find('=');
  taint.key = pair.substr(0, equals);
  if (equals != std::string::npos) taint.value = pair.substr(equals + 1);
  static constexpr std::array<std::string_view, 3> effects{"NoSchedule", "PreferNoSchedule", "NoExecute"};
  if (std::ranges::find(effects, taint.effect) == effects.end() || !is_qualified_name(taint.key) ||
      (!taint.value.empty() && !is_name(taint.value)))
    map.reject(key, "'" + std::string(key) +
                        "' must be KEY:EFFECT or KEY=VALUE:EFFECT with the effect NoSchedule, "
                        "PreferNoSchedule or NoExecute, got '" +
                        printable(text) + "'");
  return taint;
}

std::string read_object_name(YamlMap& map, std::string_view key, const std::string& otherwise) {
  std::string text = map.text_if(key).value_or(otherwise);
  if (!is_name(text) || std::ranges::any_of(text, [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; }))
    map.reject(key, "'" + std::string(key) + "' is no Kubernetes name: '" + printable(text) + "'");
  return text;
}

Quarantine read_quarantine(YamlMap map) {
  Quarantine quarantine;
  if (map.has("taint")) quarantine.taint = read_taint(map, "taint");
  quarantine.share_per_hour = map.number_if("share_per_hour", 0, 1).value_or(quarantine.share_per_hour);
  quarantine.ledger_namespace = read_object_name(map, "namespace", quarantine.ledger_namespace);
  quarantine.ledger = read_object_name(map, "ledger", quarantine.ledger);
  map.finish();
  return quarantine;
}

Tier read_tier(YamlMap map) {
  Tier tier;
  tier.name = map.text("tier");
  if (!is_name(tier.name)) map.reject("tier", "'" + printable(tier.name) + "' is no value for a label");
  tier.collective = map.text("collective");
  const std::string size = map.text("size");
  const auto bytes = parse_bytes(size);
  if (!bytes || *bytes == 0) map.reject("size", "'" + printable(size) + "' is no size; write 4K, 1M, 1GiB");
  tier.bytes = *bytes;
  const auto rate = map.number_if("busbw_gb_s", 0, 1e6);
  if (!rate) map.reject("busbw_gb_s", "'busbw_gb_s' is missing");
  tier.busbw_gb_s = *rate;
  map.finish();
  return tier;
}

// An equality-based or set-based selector goes into a query, where it is escaped; here only its letters are
// judged.
std::string read_selector(YamlMap& map, std::string_view key) {
  std::string text = map.text_if(key).value_or("");
  if (!std::ranges::all_of(text, [](char c) {
        return is_alphanumeric(c) || std::string_view("-_./=!, ()").find(c) != std::string_view::npos;
      }))
    map.reject(key, "'" + std::string(key) + "' is no label selector: '" + printable(text) + "'");
  return text;
}

}  // namespace

AdmitPolicy read_admit_policy(YamlMap map) {
  AdmitPolicy policy;
  policy.condition = map.text_if("condition").value_or(policy.condition);
  if (!is_qualified_name(policy.condition))
    map.reject("condition", "'" + printable(policy.condition) + "' is no type of a condition");
  if (map.has("startup_taint")) {
    if (map.text("startup_taint") == "none")
      policy.startup_taint.reset();
    else
      policy.startup_taint = read_taint(map, "startup_taint");
  }
  if (auto quarantine = map.map_if("quarantine")) policy.quarantine = read_quarantine(*quarantine);
  if (const auto text = map.text_if("valid_for")) {
    const auto seconds = parse_seconds(*text);
    if (!seconds || *seconds < 60)
      map.reject("valid_for", "'valid_for' must be a time of a minute or more, as in '168 h'");
    policy.valid_for_s = *seconds;
  }
  if (const auto text = map.text_if("extended_for")) {
    const auto seconds = parse_seconds(*text);
    if (!seconds || *seconds < policy.valid_for_s)
      map.reject("extended_for", "'extended_for' must be a time no shorter than 'valid_for', as in '1440 h'");
    policy.extended_for_s = *seconds;
  }
  policy.extended_for_s = std::max(policy.extended_for_s, policy.valid_for_s);
  if (const auto text = map.text_if("clock_skew")) {
    const auto seconds = parse_seconds(*text);
    if (!seconds || *seconds > 86400)
      map.reject("clock_skew", "'clock_skew' must be a time up to a day, as in '5 min'");
    policy.clock_skew_s = *seconds;
  }
  if (map.has("fleet")) policy.fleet = read_selector(map, "fleet");
  for (auto& tier : map.maps_if("tiers"))
    policy.tiers.push_back(read_tier(tier));
  map.finish();
  return policy;
}

}  // namespace mlc
