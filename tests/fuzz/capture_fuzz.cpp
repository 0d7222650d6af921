// Any text as a captured node: read, or refused with CaptureError.
#include <cstdint>

#include "validators/host/machine.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    mlc::captured_machine(std::string(reinterpret_cast<const char*>(data), size), "fuzz");
  } catch (const mlc::CaptureError&) {
  }
  return 0;
}
