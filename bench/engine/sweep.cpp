#include "bench/engine/sweep.hpp"

#include <cmath>
#include <set>

#include "reports/record/text.hpp"

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

Sweep plan(const SweepRequest& request, int ranks) {
  const Collective& collective = *request.collective;
  auto placements = request.placements;
  if (!collective.in_place) {
    std::erase(placements, Placement::in_place);
    if (placements.empty()) throw UsageError(std::string(collective.name) + " has no in-place form");
  }
  if (collective.refuses)
    if (const auto why = collective.refuses(ranks); !why.empty())
      throw UsageError(std::string(collective.name) + " " + why + "; these are " + std::to_string(ranks) +
                       " ranks");
  if (request.root < 0 || request.root >= ranks)
    throw UsageError("root " + std::to_string(request.root) + " is not one of the " + std::to_string(ranks) +
                     " ranks (0 to " + std::to_string(ranks - 1) + ")");
  Sweep sweep;
  std::set<std::uint64_t> too_small;
  for (Dtype dtype : request.dtypes)
    for (Redop redop : collective.reduces ? request.redops : std::vector{Redop::sum}) {
      if (redop == Redop::avg && average_vanishes(dtype, static_cast<std::uint32_t>(ranks)))
        throw UsageError("an average of " + std::string(to_string(dtype)) + " over " + std::to_string(ranks) +
                             " ranks is zero whatever they send: 1/" + std::to_string(ranks) +
                             " is below what the format can hold",
                         "leave avg out of -o, or " + std::string(to_string(dtype)) + " out of -d");
      std::set<std::uint64_t> seen;
      for (std::uint64_t size : request.sizes) {
        const std::uint64_t count = count_of(collective, size, ranks, width_of(dtype));
        if (count == 0) too_small.insert(size);
        if (count == 0 || !seen.insert(count).second) continue;
        for (Placement placement : placements)
          sweep.cells.push_back({&collective, dtype, redop, request.root, placement, size,
                                 bytes_of(collective, count, ranks, width_of(dtype)), count});
      }
    }
  sweep.too_small.assign(too_small.begin(), too_small.end());
  if (sweep.cells.empty())
    throw UsageError("no size is large enough for " + std::string(collective.name) + " over " +
                         std::to_string(ranks) + " ranks",
                     "each rank's share is rounded down to " +
                         std::string(collective.chunked ? "16 bytes" : "one element") +
                         "; ask for larger sizes");
  return sweep;
}

std::string describe(const Cell& cell) {
  std::string text = std::string(cell.collective->name) + " " + bytes_text(cell.bytes) + " " +
                     std::string(to_string(cell.dtype));
  if (cell.collective->reduces) text += " " + std::string(to_string(cell.redop));
  return text + (cell.placement == Placement::in_place ? " in-place" : " out-of-place");
}

}  // namespace mlc
