#include "bench/engine/sweep.hpp"

#include <set>

#include "reports/record/text.hpp"

namespace mlc {

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
