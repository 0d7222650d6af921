// The only way from text to YAML: one document, bounded in size and depth, every key a word that is given
// once, and nothing that means something else than it shows: no aliases, no tags.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstddef>
#include <stdexcept>
#include <string>

namespace mlc {

// what() is the message alone; `line` counts from 1, 0 where it is of the whole.
struct YamlError : std::runtime_error {
  YamlError(const std::string& message, int at) : std::runtime_error(message), line(at) {}
  int line;
};

inline constexpr std::size_t largest_yaml_bytes = 1 << 20;
inline constexpr int deepest_yaml = 32;  // of mappings and lists in one another; a policy has 5

// Throws YamlError.
YAML::Node yaml_document(const std::string& content);

}  // namespace mlc
