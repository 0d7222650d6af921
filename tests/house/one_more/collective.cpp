// A collective that no library has, of uneven chunks: the farther away a rank is, the more it is sent.
#include "bench/collectives/collective.hpp"

#include <string>
#include <vector>

namespace mlc {

namespace {

// Elements from `source` to `target`; over all targets the mean is s.count.
std::uint64_t length(const Shape& s, int source, int target) {
  const auto distance = static_cast<std::uint64_t>((target - source + s.ranks) % s.ranks);
  return 2 * s.count * distance / static_cast<std::uint64_t>(s.ranks - 1);
}

std::uint64_t sent_before(const Shape& s, int source, int target) {
  std::uint64_t sum = 0;
  for (int earlier = 0; earlier < target; ++earlier)
    sum += length(s, source, earlier);
  return sum;
}

std::vector<Segment> received(const Shape& s) {
  std::vector<Segment> segments;
  std::uint64_t offset = 0;
  for (int source = 0; source < s.ranks; ++source) {
    const std::uint64_t count = length(s, source, s.rank);
    segments.push_back({.offset = offset,
                        .count = count,
                        .source = static_cast<std::uint32_t>(source),
                        .index = sent_before(s, source, s.rank)});
    offset += count;
  }
  return segments;
}

void run(Communicator& communicator, const Call& call) {
  Control& control = communicator.control();
  const Shape s{control.rank(), control.size(), 0, call.count};
  const auto width = static_cast<std::uint64_t>(width_of(call.dtype));
  auto* const send = static_cast<std::byte*>(const_cast<void*>(call.send));
  auto* const recv = static_cast<std::byte*>(call.recv);
  std::vector<Transfer> sends, receives;
  const auto segments = received(s);
  for (int peer = 0; peer < s.ranks; ++peer) {
    const auto at = static_cast<std::size_t>(peer);
    if (const auto count = length(s, s.rank, peer); count > 0)
      sends.push_back({send + sent_before(s, s.rank, peer) * width, count, peer});
    if (segments[at].count > 0)
      receives.push_back({recv + segments[at].offset * width, segments[at].count, peer});
  }
  communicator.group(call.dtype, sends, receives);
}

}  // namespace

extern const Collective one_more_collective{
    .name = "ragged",
    .summary = "every rank sends the more to a rank the farther away it is",
    .formula = "busbw = size / time",
    .chunked = true,
    .in_place = false,
    .refuses = [](int ranks) { return std::string(ranks < 2 ? "needs two ranks" : ""); },
    .bus_factor = [](int) { return 1.0; },
    .layout =
        [](const Shape& s) {
          const auto segments = received(s);
          return Layout{.send = sent_before(s, s.rank, s.ranks),
                        .recv = segments.back().offset + segments.back().count};
        },
    .received = received,
    .run = run,
};

}  // namespace mlc
