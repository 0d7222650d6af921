// The sizes that -b, -e, -i, -f and --sizes stand for. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace mlc {

struct SizeRange {
  std::optional<std::uint64_t> begin, end;    // default_begin and default_end where absent
  std::optional<std::uint64_t> step;          // -i: fixed increment
  std::optional<double> factor;               // -f: multiplication; default_factor where neither is given
  std::vector<std::uint64_t> explicit_sizes;  // --sizes: nothing else then
};

inline constexpr std::uint64_t default_begin = 1 << 10, default_end = 64 << 20;
inline constexpr double default_factor = 4;

// Ascending for a range, as given for a list. Throws UsageError: begin above end, step 0, factor not above 1,
// a list beside a range, more than 10000 sizes.
std::vector<std::uint64_t> sizes_of(const SizeRange& range);

}  // namespace mlc
