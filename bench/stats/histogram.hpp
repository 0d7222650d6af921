// Latencies as percentiles and as a histogram. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace mlc {

struct Latencies {
  std::vector<double> percentiles_us;  // p50, p90, p99, p99.9, least, most
  std::vector<double> edges_us;        // one more than counts
  std::vector<std::uint64_t> counts;   // every sample is in one of them
};

// Percentiles by nearest rank. Bins are 1/8 octave wide (about 9 %), from the bin of the least sample to that
// of the greatest. Throws std::invalid_argument on no samples.
Latencies latencies_of(std::span<const double> samples_us);

}  // namespace mlc
