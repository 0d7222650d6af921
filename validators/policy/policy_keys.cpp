#include "validators/policy/policy_keys.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "reports/record/text.hpp"
#include "validators/policy/policy.hpp"
#include "validators/policy/yaml_document.hpp"

namespace mlc {

namespace {

std::vector<DescribedKey> described() {
  std::vector<DescribedKey> all;
  for (const auto& part : {measuring_keys(), node_keys(), gpu_keys(), plan_keys(), cluster_keys()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

// Puts `value` into a document at "a.b[].c"; every list on the way has one entry.
void put(YAML::Node at, std::string_view path, const YAML::Node& value) {
  const auto dot = path.find('.');
  std::string step(path.substr(0, dot));
  const bool list = step.ends_with("[]");
  if (list) step.resize(step.size() - 2);
  if (dot == path.npos) {
    at[step] = value;
    return;
  }
  if (!at[step]) at[step] = YAML::Node(list ? YAML::NodeType::Sequence : YAML::NodeType::Map);
  if (list && at[step].size() == 0) at[step].push_back(YAML::Node(YAML::NodeType::Map));
  put(list ? at[step][0] : at[step], path.substr(dot + 1), value);
}

// 100000 and not 1e+05.
std::string plain(double number) {
  return number == std::floor(number) ? fixed(number, 0) : shortest(number);
}

std::string kind_text(AskedKey::Kind kind) {
  switch (kind) {
    case AskedKey::Kind::text:
      return "text";
    case AskedKey::Kind::whole_number:
      return "whole number";
    case AskedKey::Kind::number:
      return "number";
    case AskedKey::Kind::boolean:
      return "true or false";
    case AskedKey::Kind::texts:
      return "list";
    case AskedKey::Kind::mapping:
      return "section";
    case AskedKey::Kind::mappings:
      return "list of sections";
  }
  return {};
}

}  // namespace

std::string PolicyKey::value() const {
  std::string text = kind_text(kind);
  std::string what(unit);
  if (kind == AskedKey::Kind::text && !what.empty()) return what;
  if (kind == AskedKey::Kind::texts) return what.empty() ? text : text + " of " + what;
  if (kind == AskedKey::Kind::whole_number || kind == AskedKey::Kind::number)
    return text + (what.empty() ? "" : ", " + what) + ", " + plain(least) + " to " + plain(most);
  return what.empty() ? text : what;
}

std::vector<std::string> example_policies() {
  const auto keys = described();
  const auto stands_back = [&](const DescribedKey& key) {
    return std::ranges::any_of(keys, [&](const DescribedKey& other) { return other.instead_of == key.path; });
  };
  std::vector<std::string> examples;
  for (const bool others : {false, true}) {
    YAML::Node document(YAML::NodeType::Map);
    for (const auto& key : keys)
      if (!is_section(key) && (others ? !stands_back(key) : key.instead_of.empty()))
        put(document, key.path, yaml_document(std::string(key.example)));
    examples.push_back(YAML::Dump(document) + "\n");
  }
  return examples;
}

const std::vector<PolicyKey>& policy_keys() {
  static const std::vector<PolicyKey> keys = [] {
    std::vector<AskedKey> asked;
    for (const auto& example : example_policies())
      read_policy(example, "example", &asked);
    std::vector<PolicyKey> all;
    for (const auto& key : described()) {
      const auto found = std::ranges::find(asked, key.path, &AskedKey::path);
      if (found == asked.end()) throw std::logic_error("no reader asks for '" + std::string(key.path) + "'");
      all.push_back({key, found->kind, found->least, found->most});
    }
    return all;
  }();
  return keys;
}

std::string described_path(std::string_view path) {
  for (const std::string_view plan : {"fabric.", "health.", "passive."})
    if (path.starts_with(plan)) return "burnin." + std::string(path.substr(plan.size()));
  return std::string(path);
}

const PolicyKey* find_policy_key(std::string_view path) {
  const auto& keys = policy_keys();
  const auto found = std::ranges::find(keys, described_path(path), &PolicyKey::path);
  return found == keys.end() ? nullptr : &*found;
}

}  // namespace mlc
