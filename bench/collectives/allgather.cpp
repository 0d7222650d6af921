#include "bench/collectives/chunks.hpp"

namespace mlc {

extern const Collective allgather{
    .name = "allgather",
    .summary = "every rank gets every rank's chunk",
    .formula = "busbw = size / time x (n - 1) / n, size over all chunks",
    .chunked = true,
    .bus_factor = share_of_others,
    .layout =
        [](const Shape& s) {
          const std::uint64_t all = s.count * s.ranks;
          return Layout{.send = s.count, .recv = all, .send_at = s.count * s.rank, .whole = all};
        },
    .received = chunks_of_all,
    .run = [](Communicator& communicator, const Call& call) { communicator.all_gather(call); },
};

}  // namespace mlc
