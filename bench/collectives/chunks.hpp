// What the chunked collectives share.
#pragma once

#include "bench/collectives/collective.hpp"

namespace mlc {

// A rank's own chunk does not cross the wire.
inline double share_of_others(int ranks) { return static_cast<double>(ranks - 1) / ranks; }

// One chunk of every rank, in rank order.
inline std::vector<Segment> chunks_of_all(const Shape& shape) {
  std::vector<Segment> segments;
  for (int source = 0; source < shape.ranks; ++source)
    segments.push_back(
        {.offset = shape.count * source, .count = shape.count, .source = static_cast<std::uint32_t>(source)});
  return segments;
}

}  // namespace mlc
