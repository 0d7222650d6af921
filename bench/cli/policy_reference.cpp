#include "bench/cli/policy_reference.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "bench/cli/wrapped.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

constexpr std::size_t name_column = 26;

// "node.rails.count" -> "node.rails"; "thresholds[].collective" -> "thresholds"; "policy" -> "".
std::string section_of(std::string_view path) {
  const auto dot = path.rfind('.');
  if (dot == path.npos) return {};
  auto section = path.substr(0, dot);
  if (section.ends_with("[]")) section.remove_suffix(2);
  return std::string(section);
}

std::string name_of(std::string_view path) { return std::string(path.substr(path.rfind('.') + 1)); }

struct Section {
  std::string path;
  const PolicyKey* about = nullptr;  // of the document itself: none
  std::vector<const PolicyKey*> keys;
};

std::vector<Section> sections_of(std::span<const PolicyKey> keys) {
  std::vector<Section> sections;
  const auto at = [&](const std::string& path) -> Section& {
    const auto found = std::ranges::find(sections, path, &Section::path);
    if (found != sections.end()) return *found;
    return sections.emplace_back(Section{path, nullptr, {}});
  };
  for (const auto& key : keys)
    if (is_section(key))
      at(std::string(key.path)).about = &key;
    else
      at(section_of(key.path)).keys.push_back(&key);
  return sections;
}

std::string otherwise_of(const PolicyKey& key) {
  if (key.otherwise == required_key) return "required";
  return key.otherwise.empty() ? "not asked for" : std::string(key.otherwise);
}

}  // namespace

std::string policy_keys_text(std::span<const PolicyKey> keys) {
  std::string out;
  for (const auto& section : sections_of(keys)) {
    if (!out.empty()) out += '\n';
    if (section.about != nullptr) {
      out += section.path + (section.about->kind == AskedKey::Kind::mappings ? " (a list)" : "") + "\n  ";
      out += wrapped(section.about->meaning, 2);
    }
    for (const auto* key : section.keys) {
      out += pad_right("  " + name_of(key->path), name_column - 1) + " ";
      out += wrapped(key->meaning, name_column);
      out += std::string(name_column, ' ');
      const auto other = otherwise_of(*key);
      out += wrapped(key->value() + "; " +
                         (other == "required" || other == "not asked for" ? other : "default " + other),
                     name_column);
    }
  }
  return out;
}

std::string policy_keys_markdown(std::span<const PolicyKey> keys) {
  std::string out =
      "# Policies\n\n"
      "A policy says what \"fit\" means: a YAML file, or one of those that are built in (`mlc-bench list "
      "policies`). Start from the "
      "nearest and change it:\n\n"
      "```\n"
      "mlc-bench policy show h100-4x200g > my-site.yaml     # every key it has, every default, and where "
      "each value comes from\n"
      "mlc-bench policy check my-site.yaml                  # before any node is judged by it\n"
      "mlc-bench policy keys node.rails                     # what may be written in a section\n"
      "mlc-bench validate --policy my-site.yaml\n"
      "```\n\n"
      "A key that does not exist, a value of another kind and a number out of bounds are refused, with file "
      "and line. Sizes are "
      "binary (`64M`, `8 GiB`), times have a unit (`250 ms`, `5 min`, `168 h`), shares are `90 %` or `0.9`. "
      "A report carries the "
      "policy's digest, and whoever acts on it decides again by a policy of the same digest.\n\n"
      "What follows is what `mlc-bench policy keys --format markdown` prints.\n";
  for (const auto& section : sections_of(keys)) {
    out += "\n" +
           (section.path.empty()
                ? "## The document"
                : (section.path.find('.') == std::string::npos ? "## `" : "### `") + section.path + "`") +
           "\n";
    if (section.about != nullptr) {
      std::string meaning(section.about->meaning);
      meaning[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(meaning[0])));
      out += meaning + "." + (section.about->kind == AskedKey::Kind::mappings ? " A list." : "") + "\n";
    }
    if (section.keys.empty()) continue;
    out += "\n| key | value | default | what it means | example |\n|---|---|---|---|---|\n";
    for (const auto* key : section.keys) {
      const auto other = otherwise_of(*key);
      out += "| `" + name_of(key->path) + "` | " + key->value() + " | " +
             (key->otherwise.empty() || key->otherwise == required_key ? other : "`" + other + "`") + " | " +
             std::string(key->meaning) +
             (key->instead_of.empty() ? "" : "; not beside `" + name_of(key->instead_of) + "`") + " | `" +
             std::string(key->example) + "` |\n";
    }
  }
  return out;
}

}  // namespace mlc
