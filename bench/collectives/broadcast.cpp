#include "bench/collectives/collective.hpp"

namespace mlc {

extern const Collective broadcast{
    .name = "broadcast",
    .summary = "every rank gets the root's data",
    .formula = "busbw = size / time",
    .rooted = true,
    .bus_factor = [](int) { return 1.0; },
    .layout =
        [](const Shape& s) {
          return Layout{.send = s.rank == s.root ? s.count : 0, .recv = s.count, .whole = s.count};
        },
    .received =
        [](const Shape& s) {
          return std::vector{Segment{.count = s.count, .source = static_cast<std::uint32_t>(s.root)}};
        },
    .run = [](Communicator& communicator, const Call& call) { communicator.broadcast(call); },
};

}  // namespace mlc
