// What the emulation does not let pass: a failure with a name, on stderr, and the end of the process.
#pragma once

#include <string>
#include <string_view>

namespace emulation {

inline constexpr int failure_code = 86;  // the exit status

// "emulation: NAME: WHAT". Never returns; nothing is closed.
[[noreturn]] void fail(std::string_view name, const std::string& what);

}  // namespace emulation
