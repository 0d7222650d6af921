#include <vector>

#include "bench/collectives/chunks.hpp"

namespace mlc {

namespace {

// How many elements a rank sends to the one that is so many ranks farther on, in a circle: the more the
// farther, from nearly nothing to nearly twice the mean. Two distances that make a full circle have twice the
// mean together, and its own chunk is the mean: so that every rank sends and receives exactly ranks x count,
// 1/n of it to itself, and busbw is reckoned as for equal chunks.
std::uint64_t length(std::uint64_t count, int ranks, int distance) {
  const auto share = [&](int d) {
    return 2 * count * static_cast<std::uint64_t>(d) / static_cast<std::uint64_t>(ranks);
  };
  if (distance == 0) return count;
  return 2 * distance <= ranks ? share(distance) : 2 * count - share(ranks - distance);
}

// Where each rank's chunks begin: sums of lengths, for distances 0 to ranks.
class Offsets {
 public:
  explicit Offsets(std::uint64_t count, int ranks) : ranks_(ranks), until_{0} {
    for (int distance = 0; distance < ranks; ++distance)
      until_.push_back(until_.back() + length(count, ranks, distance));
  }
  std::uint64_t elements(int source, int target) const {
    const int d = (target - source + ranks_) % ranks_;
    return at(d + 1) - at(d);
  }
  // Of the chunks that `source` sends, in the order of their targets.
  std::uint64_t sent_before(int source, int target) const {
    const int first = (ranks_ - source) % ranks_;  // the distance to rank 0
    return first + target <= ranks_ ? at(first + target) - at(first)
                                    : at(ranks_) - at(first) + at(first + target - ranks_);
  }
  std::uint64_t all() const { return at(ranks_); }

 private:
  std::uint64_t at(int index) const { return until_[static_cast<std::size_t>(index)]; }
  int ranks_;
  std::vector<std::uint64_t> until_;
};

std::vector<Segment> received(const Shape& s) {
  const Offsets offsets(s.count, s.ranks);
  std::vector<Segment> segments;
  std::uint64_t offset = 0;
  for (int source = 0; source < s.ranks; ++source) {
    const std::uint64_t elements = offsets.elements(source, s.rank);
    segments.push_back({.offset = offset,
                        .count = elements,
                        .source = static_cast<std::uint32_t>(source),
                        .index = offsets.sent_before(source, s.rank)});
    offset += elements;
  }
  return segments;
}

void run(Communicator& communicator, const Call& call) {
  const int rank = communicator.control().rank(), ranks = communicator.control().size();
  const Offsets offsets(call.count, ranks);
  const auto width = static_cast<std::uint64_t>(width_of(call.dtype));
  auto* send = static_cast<std::byte*>(const_cast<void*>(call.send));
  auto* recv = static_cast<std::byte*>(call.recv);
  std::vector<Transfer> sends, receives;
  for (int peer = 0; peer < ranks; ++peer) {
    const std::uint64_t to = offsets.elements(rank, peer), from = offsets.elements(peer, rank);
    if (to > 0) sends.push_back({send, to, peer});
    if (from > 0) receives.push_back({recv, from, peer});
    send += to * width, recv += from * width;
  }
  communicator.group(call.dtype, sends, receives);
}

}  // namespace

extern const Collective alltoallv{
    .name = "alltoallv",
    .summary = "every rank sends a different chunk to every rank, the larger the farther away it is",
    .formula = "busbw = size / time x (n - 1) / n, size over all chunks a rank sends",
    .chunked = true,
    .in_place = false,
    .bus_factor = share_of_others,
    .layout =
        [](const Shape& s) {
          const std::uint64_t all = Offsets(s.count, s.ranks).all();
          return Layout{.send = all, .recv = all};
        },
    .received = received,
    .run = run,
};

}  // namespace mlc
