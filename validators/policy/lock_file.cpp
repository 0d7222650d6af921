#include "validators/policy/lock_file.hpp"

#include "reports/record/text.hpp"

namespace mlc {

namespace {

constexpr std::string_view lock_schema = "mlc-bench/lock/v1";
constexpr std::size_t most_text = 200;

}  // namespace

LockFile read_lock(const std::string& content, const std::string& file) {
  YamlMap map = parse_yaml(content, file);
  if (map.text("lock") != lock_schema) map.reject("lock", "'lock' must be " + std::string(lock_schema));
  LockFile lock;
  auto versions = map.map_if("versions");
  if (!versions) map.reject("lock", "'versions' is missing");
  for (const auto& [name, value] : versions->entries()) {
    if (!value.IsScalar() || value.Scalar().empty())
      reject_at(file, value, "the version of '" + printable(name) + "' must be a single value");
    // What a terminal would not show as it is could hide a drift, and would not be written back the same.
    if (printable(name, most_text) != name || printable(value.Scalar(), most_text) != value.Scalar())
      reject_at(file, value,
                "the version of '" + printable(name) + "' is too long or holds control characters");
    lock.versions[name] = value.Scalar();
  }
  if (lock.versions.empty()) map.reject("versions", "'versions' is empty: it would let every drift pass");
  map.finish();
  return lock;
}

std::string lock_text(const LockFile& lock) {
  YAML::Emitter out;
  out << YAML::BeginMap << YAML::Key << "lock" << YAML::Value << std::string(lock_schema) << YAML::Key
      << "versions" << YAML::Value << YAML::BeginMap;
  for (const auto& [name, version] : lock.versions)
    out << YAML::Key << YAML::DoubleQuoted << name << YAML::Value << YAML::DoubleQuoted << version;
  out << YAML::EndMap << YAML::EndMap;
  return std::string(
             "# Versions of this node when it was accepted; written by mlc-bench validate --write-lock.\n") +
         out.c_str() + "\n";
}

}  // namespace mlc
