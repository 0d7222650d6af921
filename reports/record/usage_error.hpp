// What the user asked for cannot be; exit_code.hpp has the code it ends with.
#pragma once

#include <stdexcept>
#include <string>

namespace mlc {

// Asked for something that cannot be: reported with exit code 64.
struct UsageError : std::runtime_error {
  explicit UsageError(const std::string& what, std::string hint_text = {})
      : std::runtime_error(what), hint(std::move(hint_text)) {}
  std::string hint;
};

}  // namespace mlc
