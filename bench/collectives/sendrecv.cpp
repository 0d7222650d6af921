#include "bench/collectives/collective.hpp"

namespace mlc {

extern const Collective sendrecv{
    .name = "sendrecv",
    .summary = "every rank sends to the next and receives from the previous: a ring",
    .formula = "busbw = size / time",
    .in_place = false,
    .bus_factor = [](int) { return 1.0; },
    .layout = [](const Shape& s) { return Layout{.send = s.count, .recv = s.count}; },
    .received =
        [](const Shape& s) {
          return std::vector{Segment{.count = s.count,
                                     .source = static_cast<std::uint32_t>((s.rank + s.ranks - 1) % s.ranks)}};
        },
    .run = [](Communicator& communicator, const Call& call) { communicator.send_recv(call); },
};

}  // namespace mlc
