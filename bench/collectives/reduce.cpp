#include "bench/collectives/collective.hpp"

namespace mlc {

extern const Collective reduce{
    .name = "reduce",
    .summary = "the root gets the reduction of all ranks' data",
    .formula = "busbw = size / time",
    .reduces = true,
    .rooted = true,
    .bus_factor = [](int) { return 1.0; },
    .layout =
        [](const Shape& s) {
          return Layout{.send = s.count, .recv = s.rank == s.root ? s.count : 0, .whole = s.count};
        },
    .received =
        [](const Shape& s) {
          return s.rank == s.root ? std::vector{Segment{.count = s.count, .reduced = true}}
                                  : std::vector<Segment>{};
        },
    .run = [](Communicator& communicator, const Call& call) { communicator.reduce(call); },
};

}  // namespace mlc
