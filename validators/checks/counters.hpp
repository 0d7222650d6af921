// Counters as deltas: what was wrong last month is no reason to refuse a node, what goes wrong now is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "validators/host/host.hpp"

namespace mlc {

struct CounterChange {
  std::string path;
  Read<std::uint64_t> before, after;

  // Counters of the InfiniBand port table stop at their width (IBTA 16.1.3.5: 4, 8, 16 or 32 bits): one that
  // stands there says nothing of what comes after. A driver with wider ones goes beyond.
  bool stuck(std::uint64_t most) const {
    const auto at_end = [&](std::uint64_t value) { return value == most || value == ~std::uint64_t{0}; };
    return before && at_end(*before) && (!after || *after == *before);
  }
  // Empty where a reading is missing or the counter went backwards (driver reset, 32-bit wrap).
  std::optional<std::uint64_t> delta() const {
    if (!before || !after || *after < *before) return std::nullopt;
    return *after - *before;
  }
  std::string why_unknown() const {
    if (!before) return before.why;
    if (!after) return after.why;
    return "went backwards, from " + std::to_string(*before) + " to " + std::to_string(*after);
  }
};

}  // namespace mlc
