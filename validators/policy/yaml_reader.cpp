#include "validators/policy/yaml_reader.hpp"

#include <algorithm>

#include "reports/record/text.hpp"

namespace mlc {

void reject_at(const std::string& file, const YAML::Node& node, const std::string& message) {
  const auto mark = node.IsDefined() ? node.Mark() : YAML::Mark::null_mark();
  throw PolicyError(file + ":" + (mark.is_null() ? std::string("?") : std::to_string(mark.line + 1)) + ": " +
                    message);
}

YamlMap parse_yaml(const std::string& content, const std::string& file) {
  try {
    return YamlMap(YAML::Load(content), file);
  } catch (const YAML::Exception& error) {
    throw PolicyError(file + ":" + std::to_string(error.mark.line + 1) + ": not valid YAML: " + error.msg);
  }
}

YamlMap::YamlMap(YAML::Node node, std::string file) : node_(std::move(node)), file_(std::move(file)) {
  if (!node_.IsMap()) reject_at(file_, node_, "expected a mapping of keys to values");
  std::set<std::string> seen;
  for (const auto& entry : node_) {
    if (!entry.first.IsScalar()) reject_at(file_, entry.first, "a key must be a plain word");
    if (!seen.insert(entry.first.Scalar()).second)
      reject_at(file_, entry.first, "key '" + printable(entry.first.Scalar()) + "' is given twice");
  }
}

void YamlMap::reject(std::string_view key, const std::string& message) const {
  const YAML::Node value = node_[std::string(key)];
  reject_at(file_, value.IsDefined() ? value : node_, message);
}

bool YamlMap::has(std::string_view key) {
  asked_.emplace(key);
  return node_[std::string(key)].IsDefined();
}

std::optional<YAML::Node> YamlMap::scalar(std::string_view key) {
  if (!has(key)) return std::nullopt;
  const YAML::Node value = node_[std::string(key)];
  if (!value.IsScalar()) reject(key, "'" + std::string(key) + "' must be a single value");
  return value;
}

std::string YamlMap::text(std::string_view key) {
  auto value = text_if(key);
  if (!value) reject_at(file_, node_, "'" + std::string(key) + "' is missing");
  return *value;
}

std::optional<std::string> YamlMap::text_if(std::string_view key) {
  auto value = scalar(key);
  if (!value) return std::nullopt;
  return value->Scalar();
}

std::optional<std::int64_t> YamlMap::integer_if(std::string_view key, std::int64_t least, std::int64_t most) {
  auto value = scalar(key);
  if (!value) return std::nullopt;
  std::int64_t number = 0;
  if (!YAML::convert<std::int64_t>::decode(*value, number))
    reject(key,
           "'" + std::string(key) + "' must be a whole number, got '" + printable(value->Scalar()) + "'");
  if (number < least || number > most)
    reject(key, "'" + std::string(key) + "' must be from " + std::to_string(least) + " to " +
                    std::to_string(most) + ", got " + std::to_string(number));
  return number;
}

std::optional<double> YamlMap::number_if(std::string_view key, double least, double most) {
  auto value = scalar(key);
  if (!value) return std::nullopt;
  double number = 0;
  if (!YAML::convert<double>::decode(*value, number))
    reject(key, "'" + std::string(key) + "' must be a number, got '" + printable(value->Scalar()) + "'");
  if (!(number >= least && number <= most))
    reject(key, "'" + std::string(key) + "' must be from " + shortest(least) + " to " + shortest(most) +
                    ", got " + printable(value->Scalar()));
  return number;
}

std::optional<bool> YamlMap::boolean_if(std::string_view key) {
  auto value = scalar(key);
  if (!value) return std::nullopt;
  bool answer = false;
  if (!YAML::convert<bool>::decode(*value, answer))
    reject(key, "'" + std::string(key) + "' must be true or false, got '" + printable(value->Scalar()) + "'");
  return answer;
}

std::vector<std::string> YamlMap::texts_if(std::string_view key) {
  if (!has(key)) return {};
  const YAML::Node list = node_[std::string(key)];
  if (!list.IsSequence()) reject(key, "'" + std::string(key) + "' must be a list");
  std::vector<std::string> texts;
  for (const auto& item : list) {
    if (!item.IsScalar()) reject_at(file_, item, "'" + std::string(key) + "' must list single values");
    texts.push_back(item.Scalar());
  }
  return texts;
}

std::optional<YamlMap> YamlMap::map_if(std::string_view key) {
  if (!has(key)) return std::nullopt;
  return YamlMap(node_[std::string(key)], file_);
}

std::vector<YamlMap> YamlMap::maps_if(std::string_view key) {
  if (!has(key)) return {};
  const YAML::Node list = node_[std::string(key)];
  if (!list.IsSequence()) reject(key, "'" + std::string(key) + "' must be a list");
  std::vector<YamlMap> maps;
  for (const auto& item : list)
    maps.emplace_back(item, file_);
  return maps;
}

std::vector<std::pair<std::string, YAML::Node>> YamlMap::entries() {
  std::vector<std::pair<std::string, YAML::Node>> all;
  for (const auto& entry : node_) {
    asked_.insert(entry.first.Scalar());
    all.emplace_back(entry.first.Scalar(), entry.second);
  }
  return all;
}

void YamlMap::finish() {
  for (const auto& entry : node_) {
    const std::string& key = entry.first.Scalar();
    if (asked_.contains(key)) continue;
    std::vector<std::string> known(asked_.begin(), asked_.end());
    const auto near = nearest(key, known);
    reject_at(file_, entry.first,
              "unknown key '" + printable(key) + "'" + (near ? "; did you mean '" + *near + "'?" : ""));
  }
}

}  // namespace mlc
