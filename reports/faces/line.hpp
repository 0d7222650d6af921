// One line for node-problem-detector: it shows the first line a plugin prints and cuts it, at 80 characters
// by default.
#pragma once

#include <string>

#include "reports/record/report.hpp"

namespace mlc {

inline constexpr std::size_t line_limit = 80;

// ASCII, at most line_limit characters, without a newline. The exit code (0 OK, 1 not OK, 2 unknown) is the
// command's.
std::string line_text(const Report& report);

}  // namespace mlc
