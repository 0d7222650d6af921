// Any text as JSON: refused, or the same value that the library itself makes of it.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "reports/record/json_reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto value = mlc::read_json_if(text);
  if (value && *value != nlohmann::json::parse(text)) std::abort();
  try {
    const auto ordered = mlc::read_ordered_json(text);
    if (!value || ordered.dump().size() != value->dump().size()) std::abort();
  } catch (const mlc::JsonError&) {
    if (value) std::abort();
  }
  // The same where a list's elements are let go as they are read.
  auto list = nlohmann::json::array();
  try {
    auto rest = mlc::read_json_list(text, "a", [&](const nlohmann::json& one) { list.push_back(one); });
    if (!list.empty()) rest["a"] = std::move(list);
    if (!value || rest != *value) std::abort();
  } catch (const mlc::JsonError&) {
    if (value) std::abort();
  }
  return 0;
}
