#include "validators/policy/yaml_document.hpp"

#include <yaml-cpp/eventhandler.h>

#include <set>
#include <sstream>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

[[noreturn]] void refuse(const YAML::Mark& mark, const std::string& message) {
  throw YamlError(message, mark.is_null() ? 0 : mark.line + 1);
}

// Goes over a text before anything is built from it.
class Bounds final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1)
      refuse(mark, "a second document ('---') begins here; only one is read, so neither is taken");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse(mark, "an alias (*NAME) is not read here; write out what it stands for");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string&) override {
    check(mark, tag);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    begin(mark, tag);
  }
  void OnSequenceEnd() override { --depth_; }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    begin(mark, tag);
  }
  void OnMapEnd() override { --depth_; }

 private:
  // "?": none is written; "!": the scalar is in quotes.
  static void check(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!")
      refuse(mark, "a tag ('" + printable(tag, 60) + "') is not read here; leave it away");
  }
  void begin(const YAML::Mark& mark, const std::string& tag) {
    check(mark, tag);
    if (++depth_ > deepest_yaml)
      refuse(mark, "nested deeper than " + std::to_string(deepest_yaml) + " levels");
  }

  int documents_ = 0, depth_ = 0;
};

// Its depth is bounded, so that this may recurse.
void check_keys(const YAML::Node& node) {
  std::set<std::string> seen;
  if (node.IsSequence())
    for (const auto& item : node)
      check_keys(item);
  if (!node.IsMap()) return;
  for (const auto& entry : node) {
    if (!entry.first.IsScalar()) refuse(entry.first.Mark(), "a key must be a plain word");
    const std::string& key = entry.first.Scalar();
    if (key.empty()) refuse(entry.first.Mark(), "a key is empty");
    if (!seen.insert(key).second) refuse(entry.first.Mark(), "key '" + printable(key) + "' is given twice");
    check_keys(entry.second);
  }
}

}  // namespace

YAML::Node yaml_document(const std::string& content) {
  if (content.size() > largest_yaml_bytes)
    throw YamlError("larger than " + bytes_text(largest_yaml_bytes), 0);
  try {
    std::istringstream stream(content);
    YAML::Parser parser(stream);
    Bounds bounds;
    while (parser.HandleNextDocument(bounds)) {
    }
    YAML::Node node = YAML::Load(content);
    check_keys(node);
    return node;
  } catch (const YAML::Exception& error) {
    refuse(error.mark, "not valid YAML: " + printable(error.msg));
  }
}

}  // namespace mlc
