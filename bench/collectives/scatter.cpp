#include "bench/collectives/chunks.hpp"

namespace mlc {

extern const Collective scatter_from_root{
    .name = "scatter",
    .summary = "every rank gets its chunk of the root's data",
    .formula = "busbw = size / time x (n - 1) / n, size over all chunks",
    .rooted = true,
    .chunked = true,
    .bus_factor = share_of_others,
    .layout =
        [](const Shape& s) {
          if (s.rank != s.root) return Layout{.recv = s.count, .whole = s.count};
          const std::uint64_t all = s.count * s.ranks;
          return Layout{.send = all, .recv = s.count, .recv_at = s.count * s.rank, .whole = all};
        },
    .received =
        [](const Shape& s) {
          return std::vector{Segment{
              .count = s.count, .source = static_cast<std::uint32_t>(s.root), .index = s.count * s.rank}};
        },
    .run = [](Communicator& communicator, const Call& call) { communicator.scatter(call); },
};

}  // namespace mlc
