// Any text as a lock file: what is read can be written and read again, the same.
#include <cstdint>
#include <cstdlib>

#include "validators/policy/lock_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto lock = mlc::read_lock(std::string(reinterpret_cast<const char*>(data), size), "fuzz");
    if (mlc::read_lock(mlc::lock_text(lock), "again") != lock) std::abort();
  } catch (const mlc::PolicyError&) {
  }
  return 0;
}
