#include "bench/collectives/chunks.hpp"

namespace mlc {

extern const Collective reducescatter{
    .name = "reducescatter",
    .summary = "every rank gets its chunk of the reduction of all ranks' data",
    .formula = "busbw = size / time x (n - 1) / n, size over all chunks",
    .reduces = true,
    .chunked = true,
    .bus_factor = share_of_others,
    .layout =
        [](const Shape& s) {
          const std::uint64_t all = s.count * s.ranks;
          return Layout{.send = all, .recv = s.count, .recv_at = s.count * s.rank, .whole = all};
        },
    .received =
        [](const Shape& s) {
          return std::vector{Segment{.count = s.count, .reduced = true, .index = s.count * s.rank}};
        },
    .run = [](Communicator& communicator, const Call& call) { communicator.reduce_scatter(call); },
};

}  // namespace mlc
