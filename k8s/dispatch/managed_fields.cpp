#include "k8s/dispatch/managed_fields.hpp"

#include <string_view>

namespace mlc {

namespace {

// Past the string that begins at `at`; npos where it has no end.
std::size_t past_string(std::string_view text, std::size_t at) {
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      return i + 1;
  }
  return std::string_view::npos;
}

// Past the list that begins at `at`; npos where it has no end.
std::size_t past_list(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  for (std::size_t i = at; i < text.size();) {
    if (text[i] == '"') {
      if ((i = past_string(text, i)) == text.npos) return i;
      continue;
    }
    if (text[i] == '[' || text[i] == '{') ++depth;
    if ((text[i] == ']' || text[i] == '}') && --depth == 0) return i + 1;
    ++i;
  }
  return std::string_view::npos;
}

std::size_t past_blanks(std::string_view text, std::size_t at) {
  const auto found = text.find_first_not_of(" \t\r\n", at);
  return found == text.npos ? text.size() : found;
}

}  // namespace

void empty_managed_fields(std::string& json) {
  static constexpr std::string_view key = "\"managedFields\"";
  const std::string_view text = json;
  std::string kept;
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '"') {
      ++i;
      continue;
    }
    const std::size_t end = past_string(text, i);
    if (end == text.npos) return;
    const bool named = text.substr(i, end - i) == key;
    i = end;
    if (!named) continue;
    std::size_t value = past_blanks(text, i);
    if (value >= text.size() || text[value] != ':') continue;
    value = past_blanks(text, value + 1);
    if (value >= text.size() || text[value] != '[') continue;
    const std::size_t past = past_list(text, value);
    if (past == text.npos) return;
    kept.append(text.substr(from, value - from)).append("[]");
    from = i = past;
  }
  if (from == 0) return;
  kept.append(text.substr(from));
  json = std::move(kept);
}

}  // namespace mlc
