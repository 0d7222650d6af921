// Any text as a report: refused, or one that is written and read again the same.
#include <cstdint>
#include <cstdlib>

#include "reports/record/json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto report = mlc::report_from_json({reinterpret_cast<const char*>(data), size});
    const std::string written = mlc::to_json(report);
    if (mlc::to_json(mlc::report_from_json(written)) != written) std::abort();
  } catch (const mlc::ReportError&) {
  }
  return 0;
}
