#include "k8s/dispatch/attempts.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "k8s/admission/node_patch.hpp"
#include "reports/record/json_reader.hpp"
#include "reports/record/moment.hpp"

namespace mlc {

namespace {

constexpr std::array kinds{JobKind::burnin, JobKind::health, JobKind::passive, JobKind::fabric,
                           JobKind::ipam};
constexpr std::size_t longest_words = 200;

int count_of(const nlohmann::json& object, const char* key) {
  const auto value = object.find(key);
  if (value == object.end() || !value->is_number_integer()) return 0;
  const auto number = value->get<std::int64_t>();
  return number < 0 || number >= most_tries ? 0 : static_cast<int>(number);
}

Attempts one_of(const nlohmann::json& object) {
  const auto is_set = [&](const char* key) {
    const auto value = object.find(key);
    return value != object.end() && value->is_boolean() && value->get<bool>();
  };
  Attempts attempts{.misses = count_of(object, "n"),
                    .next = count_of(object, "try"),
                    .after = std::nullopt,
                    .refused = is_set("refused"),
                    .answers = count_of(object, "runs"),
                    .idle = {},
                    .stuck = is_set("stuck")};
  if (const auto idle = object.find("idle"); idle != object.end() && idle->is_string())
    attempts.idle = idle->get<std::string>().substr(0, longest_words);
  if (const auto after = object.find("after"); after != object.end() && after->is_string())
    attempts.after = parse_rfc3339(after->get<std::string>());
  return attempts;
}

nlohmann::ordered_json written(const Attempts& attempts) {
  nlohmann::ordered_json object{{"n", attempts.misses}, {"try", attempts.next}};
  if (attempts.after) object["after"] = rfc3339(*attempts.after);
  if (attempts.refused) object["refused"] = true;
  if (!attempts.idle.empty()) object["idle"] = bounded(attempts.idle, longest_words);
  if (attempts.stuck) object["stuck"] = true;
  if (attempts.answers > 0) object["runs"] = attempts.answers;
  return object;
}

}  // namespace

std::string to_string(JobKind kind) {
  switch (kind) {
    case JobKind::burnin:
      return "burnin";
    case JobKind::health:
      return "health";
    case JobKind::passive:
      return "passive";
    case JobKind::fabric:
      return "fabric";
    case JobKind::ipam:
      return "ipam";
  }
  return {};
}

std::optional<JobKind> job_kind_of(const std::string& text) {
  const auto found = std::ranges::find(kinds, text, [](JobKind kind) { return to_string(kind); });
  return found == kinds.end() ? std::nullopt : std::optional(*found);
}

AttemptsOf read_attempts(const std::string& annotation) {
  AttemptsOf all;
  if (annotation.empty()) return all;
  const auto object = read_json_if(annotation, {.bytes = 4096, .depth = 4, .values = 64});
  if (!object || !object->is_object()) return all;
  all[JobKind::burnin] = one_of(*object);
  for (const JobKind kind : kinds)
    if (const auto own = object->find(to_string(kind)); own != object->end() && own->is_object())
      all[kind] = one_of(*own);
  return all;
}

std::string attempts_text(const AttemptsOf& attempts) {
  auto object = nlohmann::ordered_json::object();
  if (const auto local = attempts.find(JobKind::burnin); local != attempts.end())
    object = written(local->second);
  for (const auto& [kind, one] : attempts)
    if (kind != JobKind::burnin && one != Attempts{}) object[to_string(kind)] = written(one);
  return object.dump();
}

double wait_s(const DispatchPolicy& policy, const Attempts& attempts) {
  if (attempts.stuck) return std::min(no_place_wait_s, policy.retry_most_s);
  const double wait = back_off_s(policy, attempts.misses);
  return attempts.idle.empty() ? wait : std::min(wait, no_place_wait_s);
}

double back_off_s(const DispatchPolicy& policy, int misses) {
  if (misses <= 0) return 0;
  return std::min(policy.retry_most_s, policy.retry_first_s * std::exp2(std::min(misses - 1, 40)));
}

}  // namespace mlc
