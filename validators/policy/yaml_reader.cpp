#include "validators/policy/yaml_reader.hpp"

#include <charconv>

#include "reports/record/text.hpp"
#include "validators/policy/yaml_document.hpp"

namespace mlc {

namespace {

std::optional<std::int64_t> whole(std::string_view digits, int base) {
  std::int64_t number = 0;
  const char* const last = digits.data() + digits.size();
  const auto [end, error] = std::from_chars(digits.data(), last, number, base);
  return error == std::errc{} && end == last ? std::optional(number) : std::nullopt;
}

std::string_view without_plus(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  return text;
}

// YAML 1.2.2, section 10.3.2, the core schema: 10, +10, -3, 0o17, 0x1f. A zero in front changes nothing:
// 010 is ten, where YAML 1.1 had eight.
std::optional<std::int64_t> core_integer(std::string_view text) {
  const bool digits_follow = text.size() > 2 && text[2] != '-';
  if (digits_follow && text.starts_with("0o")) return whole(text.substr(2), 8);
  if (digits_follow && text.starts_with("0x")) return whole(text.substr(2), 16);
  return whole(without_plus(text), 10);
}

// The same section: 1, .5, 5., 1e-3. Infinity and what is no number are never meant.
std::optional<double> core_number(std::string_view text) {
  if (const auto integer = core_integer(text)) return static_cast<double>(*integer);
  if (text.find_first_not_of("0123456789.eE+-") != text.npos) return std::nullopt;
  text = without_plus(text);
  double number = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number);
  return error == std::errc{} && end == last ? std::optional(number) : std::nullopt;
}

std::optional<bool> core_boolean(std::string_view text) {
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  return std::nullopt;
}

}  // namespace

void reject_at(const std::string& file, const YAML::Node& node, const std::string& message) {
  const auto mark = node.IsDefined() ? node.Mark() : YAML::Mark::null_mark();
  throw PolicyError(file + ":" + (mark.is_null() ? std::string("?") : std::to_string(mark.line + 1)) + ": " +
                    message);
}

YamlMap parse_yaml(const std::string& content, const std::string& file, std::vector<AskedKey>* asked) {
  try {
    return YamlMap(yaml_document(content), file, asked, "");
  } catch (const YamlError& error) {
    throw PolicyError(file + ":" + (error.line > 0 ? std::to_string(error.line) : "?") + ": " + error.what());
  }
}

YamlMap::YamlMap(const YAML::Node& node, std::string file) : YamlMap(node, std::move(file), nullptr, "") {}

YamlMap::YamlMap(const YAML::Node& node, std::string file, std::vector<AskedKey>* asked, std::string path)
    : node_(node), file_(std::move(file)), noted_(asked), path_(std::move(path)) {
  if (!node_.IsMap()) reject_at(file_, node_, "expected a mapping of keys to values");
}

void YamlMap::note(std::string_view key, AskedKey::Kind kind, double least, double most) {
  if (noted_ != nullptr) noted_->push_back({path_ + std::string(key), kind, least, most});
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
  note(key, AskedKey::Kind::text);
  auto value = scalar(key);
  if (!value) return std::nullopt;
  reject_blank(key, *value);
  return value->Scalar();
}

// Nothing is meant by nothing: an empty name would ask for less than the key that is not there.
void YamlMap::reject_blank(std::string_view key, const YAML::Node& value) const {
  if (value.Scalar().find_first_not_of(" \t\r\n") == std::string::npos)
    reject_at(file_, value, "'" + std::string(key) + "' is empty; leave it away where nothing is meant");
}

// "4" in quotes is text.
YAML::Node YamlMap::unquoted(std::string_view key, const YAML::Node& value) const {
  if (value.Tag() == "!")
    reject(key, "'" + std::string(key) + "' is text, for it is in quotes; write " +
                    printable(value.Scalar(), 40) + " without");
  return value;
}

std::optional<std::int64_t> YamlMap::integer_if(std::string_view key, std::int64_t least, std::int64_t most) {
  note(key, AskedKey::Kind::whole_number, static_cast<double>(least), static_cast<double>(most));
  auto value = scalar(key);
  if (!value) return std::nullopt;
  const auto number = core_integer(unquoted(key, *value).Scalar());
  if (!number)
    reject(key,
           "'" + std::string(key) + "' must be a whole number, got '" + printable(value->Scalar()) + "'");
  if (*number < least || *number > most)
    reject(key, "'" + std::string(key) + "' must be from " + std::to_string(least) + " to " +
                    std::to_string(most) + ", got " + std::to_string(*number));
  return number;
}

std::optional<double> YamlMap::number_if(std::string_view key, double least, double most) {
  note(key, AskedKey::Kind::number, least, most);
  auto value = scalar(key);
  if (!value) return std::nullopt;
  const auto number = core_number(unquoted(key, *value).Scalar());
  if (!number)
    reject(key, "'" + std::string(key) + "' must be a number, got '" + printable(value->Scalar()) + "'");
  if (!(*number >= least && *number <= most))
    reject(key, "'" + std::string(key) + "' must be from " + shortest(least) + " to " + shortest(most) +
                    ", got " + printable(value->Scalar()));
  return number;
}

std::optional<bool> YamlMap::boolean_if(std::string_view key) {
  note(key, AskedKey::Kind::boolean);
  auto value = scalar(key);
  if (!value) return std::nullopt;
  const auto answer = core_boolean(unquoted(key, *value).Scalar());
  if (!answer)
    reject(key, "'" + std::string(key) + "' must be true or false, got '" + printable(value->Scalar()) + "'");
  return answer;
}

std::vector<std::string> YamlMap::texts_if(std::string_view key) {
  note(key, AskedKey::Kind::texts);
  if (!has(key)) return {};
  const YAML::Node list = node_[std::string(key)];
  if (!list.IsSequence()) reject(key, "'" + std::string(key) + "' must be a list");
  std::vector<std::string> texts;
  for (const auto& item : list) {
    if (!item.IsScalar()) reject_at(file_, item, "'" + std::string(key) + "' must list single values");
    reject_blank(key, item);
    texts.push_back(item.Scalar());
  }
  return texts;
}

std::optional<YamlMap> YamlMap::map_if(std::string_view key) {
  note(key, AskedKey::Kind::mapping);
  if (!has(key)) return std::nullopt;
  return YamlMap(node_[std::string(key)], file_, noted_, path_ + std::string(key) + ".");
}

std::vector<YamlMap> YamlMap::maps_if(std::string_view key) {
  note(key, AskedKey::Kind::mappings);
  if (!has(key)) return {};
  const YAML::Node list = node_[std::string(key)];
  if (!list.IsSequence()) reject(key, "'" + std::string(key) + "' must be a list");
  std::vector<YamlMap> maps;
  for (const auto& item : list)
    maps.emplace_back(item, file_, noted_, path_ + std::string(key) + "[].");
  return maps;
}

std::vector<std::pair<std::string, YAML::Node>> YamlMap::entries() {
  noted_ = nullptr;  // its keys are the writer's own
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
