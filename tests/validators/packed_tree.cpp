#include "tests/validators/packed_tree.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "validators/host/netlink_message.hpp"

namespace mlc::test {

namespace {

namespace fs = std::filesystem;

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

// Text as it is; a configuration space, which is mostly zeros, as its other bytes by their offsets.
nlohmann::json packed(const std::string& content) {
  if (content.find('\0') == std::string::npos) return content;
  nlohmann::json bytes = nlohmann::json::object();
  for (std::size_t i = 0; i < content.size(); ++i) {
    std::size_t end = i;
    while (end < content.size() && content[end] != '\0')
      ++end;
    if (end > i) bytes[std::to_string(i)] = hex(std::string_view(content).substr(i, end - i));
    i = end;
  }
  return {{"size", content.size()}, {"bytes", bytes}};
}

std::string unpacked(const nlohmann::json& value) {
  if (value.is_string()) return value.get<std::string>();
  std::string content(value.at("size").get<std::size_t>(), '\0');
  for (const auto& [offset, digits] : value.at("bytes").items()) {
    const std::string bytes = *unhex(digits.get<std::string>());
    content.replace(std::stoul(offset), bytes.size(), bytes);
  }
  return content;
}

void write_file(const fs::path& path, const std::string& content) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

}  // namespace

nlohmann::json pack_tree(const std::string& directory) {
  nlohmann::json tree{{"files", nlohmann::json::object()},
                      {"links", nlohmann::json::object()},
                      {"folders", nlohmann::json::array()},
                      {"same_later", nlohmann::json::array()}};
  const fs::path root(directory);
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const std::string path = "/" + entry.path().lexically_relative(root).string();
    if (entry.is_symlink()) {
      tree["links"][path] = fs::read_symlink(entry.path()).string();
    } else if (entry.is_directory()) {
      if (fs::is_empty(entry.path())) tree["folders"].push_back(path);
    } else if (path == "/node.json") {
      tree["node"] = nlohmann::json::parse(content_of(entry.path()));
    } else {
      const std::string content = content_of(entry.path());
      const fs::path now = path.starts_with("/later/") ? root / path.substr(7) : fs::path();
      if (!now.empty() && fs::exists(now) && content_of(now) == content)
        tree["same_later"].push_back(path.substr(6));
      else
        tree["files"][path] = packed(content);
    }
  }
  for (const char* list : {"folders", "same_later"})
    std::sort(tree[list].begin(), tree[list].end());
  return tree;
}

void unpack_tree(const nlohmann::json& packed, const std::string& directory) {
  const auto at = [&](const std::string& path) { return fs::path(directory + path); };
  for (const auto& [path, value] : packed.at("files").items())
    write_file(at(path), unpacked(value));
  for (const auto& path : packed.at("same_later"))
    write_file(at("/later" + path.get<std::string>()), content_of(at(path.get<std::string>())));
  for (const auto& path : packed.at("folders"))
    fs::create_directories(at(path.get<std::string>()));
  for (const auto& [path, target] : packed.at("links").items()) {
    fs::create_directories(at(path).parent_path());
    fs::create_symlink(target.get<std::string>(), at(path));
  }
  write_file(at("/node.json"), packed.at("node").dump(1));
}

}  // namespace mlc::test
