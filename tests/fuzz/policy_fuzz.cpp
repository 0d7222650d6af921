// Any text as a policy: read, or refused with PolicyError; nothing else.
#include <cstdint>

#include "validators/policy/policy.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    mlc::read_policy(std::string(reinterpret_cast<const char*>(data), size), "fuzz");
  } catch (const mlc::PolicyError&) {
  }
  return 0;
}
