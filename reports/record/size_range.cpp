#include "reports/record/size_range.hpp"

#include <algorithm>
#include <cmath>

#include "reports/record/text.hpp"
#include "reports/record/usage_error.hpp"

namespace mlc {

std::vector<std::uint64_t> sizes_of(const SizeRange& range) {
  if (!range.explicit_sizes.empty()) {
    if (range.begin || range.end || range.step || range.factor)
      throw UsageError("--sizes is a list of its own; it goes with none of -b, -e, -i, -f");
    return range.explicit_sizes;
  }
  if (range.step && range.factor)
    throw UsageError("-i and -f are two ways to go from size to size; give one of them");
  const std::uint64_t begin =
      range.begin.value_or(std::min(default_begin, range.end.value_or(default_begin)));
  const std::uint64_t end = range.end.value_or(std::max(default_end, begin));
  if (begin > end)
    throw UsageError(
        "the smallest size (-b " + bytes_text(begin) + ") is above the largest (-e " + bytes_text(end) + ")",
        "swap -b and -e");
  if (begin == 0) throw UsageError("-b 0: there is nothing to measure in an empty message");
  if (range.step && *range.step == 0) throw UsageError("-i 0 would never get from size to size");
  const double factor = range.factor.value_or(default_factor);
  if (!(factor > 1))
    throw UsageError("-f " + shortest(factor) + " would never get from size to size; it must be above 1");
  std::vector<std::uint64_t> sizes;
  for (std::uint64_t size = begin; size <= end;) {
    sizes.push_back(size);
    if (sizes.size() > 10'000)
      throw UsageError("more than 10000 sizes between -b and -e", "take a larger step or factor");
    const double next =
        range.step ? static_cast<double>(size + *range.step) : std::floor(static_cast<double>(size) * factor);
    if (next > 9e15) break;
    size = std::max(size + 1, static_cast<std::uint64_t>(next));
  }
  return sizes;
}

}  // namespace mlc
