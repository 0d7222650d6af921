// What "the time of an operation" means. The peers stand their barriers and their clocks elsewhere than we
// do; by their own definitions figures compare one to one.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "bench/ranks/control.hpp"
#include "validators/host/clock.hpp"

namespace mlc {

enum class Timing {
  slowest,  // ours: each operation entered from a barrier, the slowest rank counts, the median is told
  osu,  // OSU Micro-Benchmarks 7 (collective/blocking, "Avg Latency"): a barrier after each call, untimed;
        // the mean over calls and ranks
  imb,  // Intel MPI Benchmarks 2021 (IMB-MPI1 with -sync on, "t_avg"): the same
};

std::optional<Timing> parse_timing(std::string_view name);
std::string_view to_string(Timing timing);
const char* timing_explained();

// Calls `operation` seconds.size() times as OSU and IMB do and stores this rank's time of each.
void time_calls(Control& control, Clock& clock, const std::function<void()>& operation,
                std::span<double> seconds);

// Element-wise over the ranks; equal lengths everywhere.
void mean_over_ranks(Control& control, std::span<double> values);

}  // namespace mlc
