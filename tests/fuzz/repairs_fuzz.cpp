// Any text as a list of repairs: refused with RepairsError, or nodes with a name and a time.
#include <cstdint>
#include <cstdlib>

#include "reports/history/cuts.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mlc;
  try {
    const auto repairs = repairs_from_csv({reinterpret_cast<const char*>(data), size});
    for (const auto& repair : repairs)
      if (repair.node.empty()) std::abort();
    const History::Track track{"gpu-7", -1, {{0, 0, 1.}, {1'770'000'000, 0, 1.}}};
    if (cuts_of(track, {Versions{}}, repairs).size() > 1) std::abort();
  } catch (const RepairsError&) {
  }
  return 0;
}
