// The samples of one (collective, dtype, redop, placement, size), summarised over ranks and iterations.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reports/record/finding.hpp"

namespace mlc {

// Times of single operations in microseconds.
struct Distribution {
  double min = 0, p50 = 0, p95 = 0, p99 = 0, max = 0;
  double mean = 0;  // 0: of a report that did not keep it
  bool operator==(const Distribution&) const = default;
};

// The first wrong element, and what it looks like.
struct Mismatch {
  int rank = 0;
  std::string node;
  std::uint64_t index = 0;  // element index in that rank's receive buffer
  std::string expected;     // value and bits: "0.375 (0x3ec00000)"
  std::string actual;
  std::string kind;  // "bit 22 flipped", "never written", "contribution of rank 3 missing", ...
  bool operator==(const Mismatch&) const = default;
};

// The rank whose median time is above the other ranks', when that is no chance.
struct Slowest {
  int rank = 0;
  std::string node;
  double excess = 0;  // its median over the median of the others, minus one: 0.12 is 12 %
  bool operator==(const Slowest&) const = default;
};

// What the policy asks of this series, and the answer.
struct Judgement {
  std::string metric;               // "busbw_gb_s", "wire_gb_s" (at least) or "time_us" (at most)
  double bound = 0;                 // in the metric's unit
  Status status = Status::unknown;  // pass, fail or unknown (not decided)
  std::string why;                  // "median 363.40 is 1.8 % under 370", "undecided after 60 batches"
  double observe_s = 0;             // asked for admission: shortest time of observation; 0: judged quickly
  std::string doubt;                // bench/stats/judging.hpp: "noise", "stalls", ...; empty: none
  bool operator==(const Judgement&) const = default;
};

// What the judgement of a threshold rests on beside the median: enough to judge again
// (bench/stats/judging.hpp says what each figure is and does). Reached: at or above the bound, or for a time
// at or below it.
struct Observation {
  double timed_s = 0, wall_s = 0;  // the iterations; the same by the clock, waits between them included
  std::uint64_t untimed = 0;       // iterations whose time was not above zero
  double wall_busbw_gb_s = 0;      // all bytes over all time, stalls between iterations included
  double longest_us = 0;           // of an iteration, or of a stall between two
  double correlation_s = 0;        // 0: none was seen
  double block_s = 0;              // no judged block is shorter
  std::uint64_t blocks = 0, blocks_reached = 0;
  std::uint64_t slices = 0, slices_reached = 0;  // of twenty equal parts of the time
  double end_share = 0;                          // least share of the last 5, 10 ... blocks, batches
  double drift = 0, drift_z = 0;                 // of the rate from the first third to the last; its deviate
  bool operator==(const Observation&) const = default;
};

// How the library carried the operation, as it says itself.
struct Tuning {
  std::string algorithm, protocol;  // "Ring", "LL128"
  int channels = 0;
  // The bytes that left each node one way, per second; empty where that is not known. On two nodes a tree
  // sends each byte once, which busbw counts up to 1.875 times.
  std::optional<double> wire_gb_s;
  bool operator==(const Tuning&) const = default;
};

// What every launch of several made anew. Processes differ in where they sit and in which memory and ports
// they got; communicators made anew in the same processes see nothing of that.
enum class Renewed { nothing, communicators, processes };

constexpr std::string_view to_string(Renewed renewed) {
  return renewed == Renewed::processes       ? "processes"
         : renewed == Renewed::communicators ? "communicators"
                                             : "nothing";
}

// One launch of several.
struct SeriesLaunch {
  double p50_us = 0, mean_us = 0;
  std::array<double, 2> ci_us{};  // 95 % confidence interval of the median, from this launch's samples alone
  std::uint64_t samples = 0;
  bool operator==(const SeriesLaunch&) const = default;
};

struct Series {
  std::string collective, dtype, redop;    // redop is empty where the collective reduces nothing
  std::string placement = "out_of_place";  // or "in_place"
  std::optional<int> root;                 // for rooted collectives
  std::uint64_t bytes = 0;                 // size measured, after rounding to whole chunks per rank
  std::uint64_t requested_bytes = 0;       // size asked for
  int ranks = 0;
  // Of a burn-in's report, whose stages differ in them; else the run's.
  std::string backend;
  int nodes = 0;
  std::string stage;                // of a burn-in
  int launch = 0, of_launches = 0;  // of its stage, from 1 on
  std::uint64_t samples = 0;        // timed iterations
  Distribution time_us;
  std::array<double, 2> ci_us{};          // 95 % confidence interval of the median
  double cv = 0;                          // standard deviation over mean of the samples
  std::string timing;                     // "osu", "imb"; empty: the slowest rank's time of each operation
  double algbw_gb_s = 0, busbw_gb_s = 0;  // from told_us(); GB/s is 1e9 bytes per second
  std::optional<std::uint64_t> wrong;     // wrong elements over all ranks; empty: not verified
  std::optional<Mismatch> mismatch;
  std::string stop;  // why sampling ended: "precise", "decided", "fixed", "time", ...
  std::optional<Slowest> slowest;
  std::optional<Judgement> threshold;
  std::optional<Observation> observation;  // with the threshold; empty: of a report that did not keep it
  std::optional<Tuning> tuning;
  std::vector<double> rank_p50_us;    // median time of each rank, by rank; empty: not kept
  std::vector<std::string> warnings;  // "first iteration took 6.1 x the median"

  // Of several launches, in order; empty: there was one. All above is then of them together
  // (history/launches.hpp).
  std::vector<SeriesLaunch> launches;
  Renewed renewed = Renewed::nothing;

  // The one figure: the median, or what the peer whose timing was asked for prints, the mean.
  double told_us() const { return timing.empty() ? time_us.p50 : time_us.mean; }
  bool operator==(const Series&) const = default;
};

}  // namespace mlc
