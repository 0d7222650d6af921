// Strict reading of YAML: every key is known, every value has the right type and unit, numbers are those of
// YAML 1.2's core schema, no text is empty, and whatever is wrong is named with file and line. A policy
// decides about nodes; a typing error in it must never pass silently.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace mlc {

// what() is "FILE:LINE: MESSAGE".
struct PolicyError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What a reader asked a mapping for.
struct AskedKey {
  enum class Kind { text, whole_number, number, boolean, texts, mapping, mappings };
  std::string path;  // "node.rails.count"; of the entries of a list: "thresholds[].collective"
  Kind kind = Kind::text;
  double least = 0, most = 0;  // of numbers
};

// One mapping of a document. Keys asked for are remembered; finish() rejects the others and suggests the
// nearest known key.
class YamlMap {
 public:
  YamlMap(const YAML::Node& node, std::string file);
  // Writes down in `asked`, which has to outlive it, what it is asked for; `path` ends in '.', or is empty.
  YamlMap(const YAML::Node& node, std::string file, std::vector<AskedKey>* asked, std::string path);

  bool has(std::string_view key);
  std::string text(std::string_view key);  // required
  std::optional<std::string> text_if(std::string_view key);
  std::optional<std::int64_t> integer_if(std::string_view key, std::int64_t least, std::int64_t most);
  std::optional<double> number_if(std::string_view key, double least, double most);
  std::optional<bool> boolean_if(std::string_view key);
  std::vector<std::string> texts_if(std::string_view key);  // a list of scalars; empty if absent
  std::optional<YamlMap> map_if(std::string_view key);
  std::vector<YamlMap> maps_if(std::string_view key);         // a list of mappings; empty if absent
  std::vector<std::pair<std::string, YAML::Node>> entries();  // all of them, for free-form mappings

  // Throws PolicyError at the line of `key` (or of the mapping, if absent).
  [[noreturn]] void reject(std::string_view key, const std::string& message) const;
  void finish();  // throws PolicyError for the first unknown key
  const std::string& file() const { return file_; }
  YAML::Node node() const { return node_; }

 private:
  void note(std::string_view key, AskedKey::Kind kind, double least = 0, double most = 0);
  std::optional<YAML::Node> scalar(std::string_view key);
  YAML::Node unquoted(std::string_view key, const YAML::Node& value) const;
  void reject_blank(std::string_view key, const YAML::Node& value) const;
  YAML::Node node_;
  std::string file_;
  std::set<std::string, std::less<>> asked_;
  std::vector<AskedKey>* noted_ = nullptr;
  std::string path_;
};

// Parses a whole document; syntax errors become PolicyError with the line. `asked`: see YamlMap.
YamlMap parse_yaml(const std::string& content, const std::string& file,
                   std::vector<AskedKey>* asked = nullptr);

// "FILE:LINE: MESSAGE" for a node.
[[noreturn]] void reject_at(const std::string& file, const YAML::Node& node, const std::string& message);

}  // namespace mlc
