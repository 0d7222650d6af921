// Text broken between words, for a terminal of 80 columns.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "reports/record/text.hpp"

namespace mlc {

inline constexpr std::size_t terminal_columns = 80;

// The first line stands where the caller has written `indent` columns already. Ends in a newline.
inline std::string wrapped(std::string_view text, std::size_t indent) {
  std::string out;
  std::size_t column = indent;
  bool first = true;
  for (const auto& word : split_words(text)) {
    if (!first && column + 1 + columns(word) > terminal_columns) {
      out += "\n" + std::string(indent, ' ');
      column = indent, first = true;
    }
    if (!first) out += ' ', ++column;
    out += word, column += columns(word), first = false;
  }
  return out + "\n";
}

}  // namespace mlc
