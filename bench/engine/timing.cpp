#include "bench/engine/timing.hpp"

#include <array>
#include <vector>

namespace mlc {

namespace {

constexpr std::array<std::pair<Timing, std::string_view>, 3> names{
    {{Timing::slowest, "slowest"}, {Timing::osu, "osu"}, {Timing::imb, "imb"}}};

}  // namespace

std::optional<Timing> parse_timing(std::string_view name) {
  for (const auto& [timing, known] : names)
    if (known == name) return timing;
  return std::nullopt;
}

std::string_view to_string(Timing timing) { return names[static_cast<std::size_t>(timing)].second; }

const char* timing_explained() {
  return R"(timing: when the clock starts and stops, and whose time is told (--timing)

slowest  A barrier, then the clock, then one operation. The barrier is not timed. The time of an
         iteration is that of the slowest rank; the table shows the median and the 99th percentile
         of the iterations. An operation is over when its last rank has it: policies judge by this.
osu      As in the OSU Micro-Benchmarks: the clock, one operation, the clock, then a barrier that
         is not timed. The table shows the mean over all calls and all ranks ("Avg Latency").
imb      As in IMB-MPI1: the loop of osu and the same mean ("t_avg").

The figures differ most for small messages (8 B on one machine: 0.69 us here, 0.41 by OSU). A rank
that leaves the barrier first waits for the others inside the operation, and the slowest rank has
all of that wait: with two ranks the mean over ranks has half of it. A broadcast's root is done
long before the last leaf is; its mean says little.

Before each stretch of timed calls osu and imb make two that are not timed, because verification
of the data between the stretches leaves the caches cold. Peers count a message by one rank's
share in allgather and alltoall, we by all shares together: OSU's 1 KiB on 4 ranks is 4 KiB here.
OSU reduces bytes (MPI_CHAR) unless told -T mpi_float, IMB reduces floats, we reduce what -d says,
float unless told.

Where a library has no out-of-place form of an operation (MPI_Bcast has one buffer), its own form
is measured: the table says in-place.
)";
}

void time_calls(Control& control, Clock& clock, const std::function<void()>& operation,
                std::span<double> seconds) {
  constexpr int untimed = 2;
  for (int i = 0; i < untimed; ++i)
    operation();
  control.barrier();
  for (double& time : seconds) {
    const double start = clock.now();
    operation();
    time = clock.now() - start;
    control.barrier();
  }
}

void mean_over_ranks(Control& control, std::span<double> values) {
  const auto ranks = static_cast<std::size_t>(control.size());
  std::vector<double> all(values.size() * ranks);
  control.all_gather(std::as_bytes(values), std::as_writable_bytes(std::span(all)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    double sum = 0;
    for (std::size_t rank = 0; rank < ranks; ++rank)
      sum += all[rank * values.size() + i];
    values[i] = sum / static_cast<double>(ranks);
  }
}

}  // namespace mlc
