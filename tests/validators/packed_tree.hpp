// A captured node (what `mlc-bench capture` writes) as one JSON file that can be read in a diff.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace mlc::test {

nlohmann::json pack_tree(const std::string& directory);
void unpack_tree(const nlohmann::json& packed, const std::string& directory);

}  // namespace mlc::test
