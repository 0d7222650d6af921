// Text as one word of a shell.
#pragma once

#include <string>
#include <string_view>

#include "bench/cli/shell_word.hpp"

namespace mlc {

inline std::string escaped(std::string_view text, std::string_view what, std::string_view as_before) {
  std::string out;
  for (const char c : text) {
    if (what.find(c) != std::string_view::npos) out += as_before;
    out += c;
  }
  return out;
}

}  // namespace mlc
