// Text as one word of a shell.
#pragma once

#include <string>
#include <string_view>

namespace mlc {

inline std::string escaped(std::string_view text, std::string_view what, std::string_view as_before) {
  std::string out;
  for (const char c : text) {
    if (what.find(c) != std::string_view::npos) out += as_before;
    out += c;
  }
  return out;
}

// bash and zsh: nothing is special between single quotes but the quote itself.
inline std::string shell_word(std::string_view text) {
  std::string out = "'";
  for (const char c : text)
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace mlc
