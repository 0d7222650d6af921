#include <bit>

#include "bench/collectives/chunks.hpp"

namespace mlc {

namespace {

// In step k a rank and the one whose number differs in bit k swap the 2^k chunks that each has by then.
void run(Communicator& communicator, const Call& call) {
  const int rank = communicator.control().rank(), ranks = communicator.control().size();
  const auto bytes = call.count * static_cast<std::uint64_t>(width_of(call.dtype));
  auto* const recv = static_cast<std::byte*>(call.recv);
  const auto chunks = [&](int first, int number, int peer) {
    return std::vector{Transfer{recv + bytes * static_cast<std::uint64_t>(first),
                                call.count * static_cast<std::uint64_t>(number), peer}};
  };
  if (!call.in_place) {
    auto* const send = static_cast<std::byte*>(const_cast<void*>(call.send));
    communicator.group(call.dtype, std::vector{Transfer{send, call.count, rank}}, chunks(rank, 1, rank));
  }
  for (int half = 1; half < ranks; half *= 2) {
    const int mine = rank & ~(half - 1), theirs = mine ^ half, peer = rank ^ half;
    communicator.group(call.dtype, chunks(mine, half, peer), chunks(theirs, half, peer));
  }
}

}  // namespace

extern const Collective hypercube{
    .name = "hypercube",
    .summary = "every rank gets every rank's chunk, by swaps along each edge of a hypercube",
    .formula = "busbw = size / time x (n - 1) / n, size over all chunks",
    .chunked = true,
    .refuses =
        [](int ranks) {
          const bool fits = ranks > 1 && std::has_single_bit(static_cast<unsigned>(ranks));
          return std::string(fits ? "" : "needs a power of two above one");
        },
    .bus_factor = share_of_others,
    .layout =
        [](const Shape& s) {
          const std::uint64_t all = s.count * s.ranks;
          return Layout{.send = s.count, .recv = all, .send_at = s.count * s.rank, .whole = all};
        },
    .received = chunks_of_all,
    .run = run,
};

}  // namespace mlc
