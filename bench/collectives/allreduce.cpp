#include "bench/collectives/collective.hpp"

namespace mlc {

extern const Collective allreduce{
    .name = "allreduce",
    .summary = "every rank gets the reduction of all ranks' data",
    .formula = "busbw = size / time x 2 (n - 1) / n",
    .reduces = true,
    .bus_factor = [](int n) { return 2.0 * (n - 1) / n; },
    .layout = [](const Shape& s) { return Layout{.send = s.count, .recv = s.count, .whole = s.count}; },
    .received = [](const Shape& s) { return std::vector{Segment{.count = s.count, .reduced = true}}; },
    .run = [](Communicator& communicator, const Call& call) { communicator.all_reduce(call); },
};

}  // namespace mlc
