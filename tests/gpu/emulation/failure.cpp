#include "tests/gpu/emulation/failure.hpp"

#include <unistd.h>

namespace emulation {

void fail(std::string_view name, const std::string& what) {
  const std::string line = "emulation: " + std::string(name) + ": " + what + "\n";
  (void)!::write(STDERR_FILENO, line.data(), line.size());
  ::_exit(failure_code);
}

}  // namespace emulation
