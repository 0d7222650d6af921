// Kubernetes objects as text. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace mlc {

using Objects = std::vector<nlohmann::ordered_json>;

// As a stream of YAML documents. Text that YAML could take for anything else is quoted.
std::string to_yaml(const Objects& objects);

}  // namespace mlc
