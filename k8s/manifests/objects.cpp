#include "k8s/manifests/objects.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace mlc {

namespace {

using Json = nlohmann::ordered_json;

bool plain(const std::string& text) {
  static constexpr std::array<std::string_view, 12> words{"y",    "n",     "yes",  "no",  "on",  "off",
                                                          "true", "false", "null", "nan", "inf", "none"};
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (text.empty() || !(letter(text.front()) || text.front() == '/')) return false;
  std::string lower = text;
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return std::ranges::find(words, lower) == words.end() && std::ranges::all_of(text, [&](char c) {
           return letter(c) || (c >= '0' && c <= '9') ||
                  std::string_view("/._-").find(c) != std::string_view::npos;
         });
}

void emit(YAML::Emitter& out, const Json& value) {
  if (value.is_object()) {
    out << YAML::BeginMap;
    for (const auto& [key, inner] : value.items()) {
      out << YAML::Key;
      emit(out, Json(key));
      out << YAML::Value;
      emit(out, inner);
    }
    out << YAML::EndMap;
  } else if (value.is_array()) {
    const bool scalars = std::ranges::none_of(value, [](const Json& one) { return one.is_structured(); });
    if (scalars) out << YAML::Flow;
    out << YAML::BeginSeq;
    for (const auto& inner : value)
      emit(out, inner);
    out << YAML::EndSeq;
  } else if (value.is_string()) {
    const auto text = value.get<std::string>();
    if (!plain(text)) out << YAML::DoubleQuoted;
    out << text;
  } else if (value.is_boolean()) {
    out << value.get<bool>();
  } else {
    out << value.get<long>();
  }
}

}  // namespace

std::string to_yaml(const Objects& objects) {
  std::string text;
  for (const auto& object : objects) {
    YAML::Emitter out;
    emit(out, object);
    text += (text.empty() ? "" : "---\n") + std::string(out.c_str()) + "\n";
  }
  return text;
}

}  // namespace mlc
