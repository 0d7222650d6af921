#include "bench/collectives/chunks.hpp"

namespace mlc {

extern const Collective gather_to_root{
    .name = "gather",
    .summary = "the root gets every rank's chunk",
    .formula = "busbw = size / time x (n - 1) / n, size over all chunks",
    .rooted = true,
    .chunked = true,
    .bus_factor = share_of_others,
    .layout =
        [](const Shape& s) {
          if (s.rank != s.root) return Layout{.send = s.count, .whole = s.count};
          const std::uint64_t all = s.count * s.ranks;
          return Layout{.send = s.count, .recv = all, .send_at = s.count * s.rank, .whole = all};
        },
    .received = [](const Shape& s) { return s.rank == s.root ? chunks_of_all(s) : std::vector<Segment>{}; },
    .run = [](Communicator& communicator, const Call& call) { communicator.gather(call); },
};

}  // namespace mlc
