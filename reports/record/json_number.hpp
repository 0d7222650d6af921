// Numbers in a report's JSON.
#pragma once

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

namespace mlc::in_json {

// JSON has no infinity and no NaN: a value that is not finite is written as null and read back as "not
// measured".
inline nlohmann::ordered_json number(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}
inline nlohmann::ordered_json number(const std::optional<double>& value) {
  return value ? number(*value) : nlohmann::ordered_json(nullptr);
}

inline double read_number(const nlohmann::ordered_json& json) {
  return json.is_null() ? std::nan("") : json.get<double>();
}

inline std::optional<double> read_optional(const nlohmann::ordered_json& json, const char* key) {
  if (!json.contains(key) || json.at(key).is_null()) return std::nullopt;
  return json.at(key).get<double>();
}

}  // namespace mlc::in_json
