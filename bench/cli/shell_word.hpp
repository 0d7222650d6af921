// A word as a shell takes it back.
#pragma once

#include <string>
#include <string_view>

namespace mlc {

// bash and zsh: nothing is special between single quotes but the quote itself.
inline std::string shell_word(std::string_view text) {
  std::string out = "'";
  for (const char c : text)
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace mlc
