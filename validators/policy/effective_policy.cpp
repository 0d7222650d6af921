#include "validators/policy/effective_policy.hpp"

#include <algorithm>

#include "reports/record/text.hpp"
#include "validators/policy/policy_keys.hpp"
#include "validators/policy/yaml_document.hpp"

namespace mlc {

namespace {

constexpr std::size_t origin_column = 52;

std::string in_quotes(const std::string& text) {
  YAML::Emitter out;
  out << YAML::DoubleQuoted << text;
  return out.c_str();
}

// On one line. Text that was in quotes ("4") stays so; in a list commas and brackets mean something too.
std::string flow(const YAML::Node& node, bool inside = false) {
  if (node.IsScalar()) {
    const std::string& text = node.Scalar();
    const bool special = text.empty() || text.find_first_of("\n\t") != text.npos ||
                         text.find(": ") != text.npos || text.find(" #") != text.npos ||
                         (inside && text.find_first_of(",[]{}") != text.npos);
    return node.Tag() == "!" || special ? in_quotes(text) : text;
  }
  std::vector<std::string> parts;
  if (node.IsSequence()) {
    for (const auto& item : node)
      parts.push_back(flow(item, true));
    return "[" + join(parts, ", ") + "]";
  }
  if (!node.IsMap()) return "";
  for (const auto& entry : node)
    parts.push_back(flow(entry.first, true) + ": " + flow(entry.second, true));
  return "{" + join(parts, ", ") + "}";
}

class Writer {
 public:
  explicit Writer(const Policy& policy) : policy_(policy) {}

  // The keys of the mapping at `prefix` ("", "node.rails.", "thresholds[].").
  void keys_of(const std::string& prefix, const YAML::Node& mapping, int depth) {
    const std::string as = described_path(prefix);
    std::vector<std::string> unasked;
    for (const auto& key : policy_keys()) {
      if (!key.path.starts_with(as)) continue;
      const std::string name(key.path.substr(as.size()));
      if (name.empty() || name.find_first_of(".[") != name.npos) continue;
      const YAML::Node value = mapping[name];
      if (value.IsDefined())
        given(key, prefix + name, name, value, depth);
      else if (is_section(key) && !key.otherwise.empty() && key.otherwise != required_key)
        section(prefix + name, name, YAML::Node(YAML::NodeType::Map), depth);
      else if (key.otherwise.empty())
        unasked.push_back(name);
      else if (key.otherwise != required_key)
        line(depth, name + ": " + otherwise_of(key), "default");
    }
    if (!unasked.empty()) text_ += indent(depth) + "# not asked for: " + join(unasked, ", ") + "\n";
  }

  std::string take() { return std::move(text_); }

 private:
  void given(const PolicyKey& key, const std::string& path, const std::string& name, const YAML::Node& value,
             int depth) {
    if (!is_section(key))
      line(depth, name + ": " + flow(value), "line " + std::to_string(value.Mark().line + 1));
    else if (value.IsMap())
      section(path, name, value, depth);
    else
      list(path, name, value, depth);
  }

  void section(const std::string& path, const std::string& name, const YAML::Node& value, int depth) {
    if (depth == 0) text_ += "\n";
    text_ += indent(depth) + name + ":\n";
    const std::size_t before = text_.size();
    keys_of(path + ".", value, depth + 1);
    if (!has_value(before)) text_.insert(before - 1, " {}");  // nothing but a comment would be no mapping
  }

  void list(const std::string& path, const std::string& name, const YAML::Node& entries, int depth) {
    if (depth == 0) text_ += "\n";
    if (entries.size() == 0)
      return line(depth, name + ": []", "line " + std::to_string(entries.Mark().line + 1));
    text_ += indent(depth) + name + ":\n";
    const std::string of_entry = path == "node.rails.select" ? path + "." : path + "[].";
    for (const auto& entry : entries) {
      const std::size_t at = text_.size() + indent(depth + 1).size();
      keys_of(of_entry, entry, depth + 2);
      if (at + 2 <= text_.size()) text_.replace(at, 2, "- ");
    }
  }

  // Is there a line from `from` on that is no comment?
  bool has_value(std::size_t from) const {
    for (std::size_t at = from; at < text_.size(); at = text_.find('\n', at) + 1) {
      const auto first = text_.find_first_not_of(' ', at);
      if (first != text_.npos && text_[first] != '#') return true;
    }
    return false;
  }

  // Some defaults follow another key where that is more.
  std::string otherwise_of(const PolicyKey& key) const {
    const DispatchPolicy dispatch;
    const AdmitPolicy admit;
    const auto seconds = [](double s) { return shortest(s) + " s"; };
    if (key.path == "dispatch.fabric_nodes") return std::to_string(policy_.dispatch.fabric_nodes);
    if (key.path == "dispatch.retry_most" && policy_.dispatch.retry_most_s != dispatch.retry_most_s)
      return seconds(policy_.dispatch.retry_most_s);
    if (key.path == "admit.extended_for" && policy_.admit.extended_for_s != admit.extended_for_s)
      return seconds(policy_.admit.extended_for_s);
    return std::string(key.otherwise);
  }

  static std::string indent(int depth) { return std::string(static_cast<std::size_t>(depth) * 2, ' '); }

  void line(int depth, const std::string& text, const std::string& origin) {
    if (depth == 0 && text_.ends_with('\n') && in_section_) text_ += "\n";
    in_section_ = depth > 0;
    text_ += pad_right(indent(depth) + text, origin_column) + "  # " + origin + "\n";
  }

  const Policy& policy_;
  std::string text_;
  bool in_section_ = false;  // the last line was of one
};

}  // namespace

std::string effective_policy(const Policy& policy) {
  Writer writer(policy);
  writer.keys_of("", yaml_document(policy.text), 0);
  return "# " + printable(policy.name) + " (" + printable(policy.source) + "), " + policy.digest + "\n" +
         writer.take();
}

}  // namespace mlc
