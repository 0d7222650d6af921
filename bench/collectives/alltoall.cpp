#include "bench/collectives/chunks.hpp"

namespace mlc {

extern const Collective alltoall{
    .name = "alltoall",
    .summary = "every rank sends a different chunk to every rank",
    .formula = "busbw = size / time x (n - 1) / n, size over all chunks a rank sends",
    .chunked = true,
    .in_place = false,
    .bus_factor = share_of_others,
    .layout = [](const Shape& s) { return Layout{.send = s.count * s.ranks, .recv = s.count * s.ranks}; },
    .received =
        [](const Shape& s) {
          std::vector<Segment> segments;
          for (int source = 0; source < s.ranks; ++source)
            segments.push_back({.offset = s.count * source,
                                .count = s.count,
                                .source = static_cast<std::uint32_t>(source),
                                .index = s.count * s.rank});
          return segments;
        },
    .run = [](Communicator& communicator, const Call& call) { communicator.all_to_all(call); },
};

}  // namespace mlc
