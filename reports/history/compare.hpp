// Two reports against each other, by intervals and never by a bare percentage. Pure.
//
// A series is compared by the ratio of its medians. Its interval comes from the two medians' intervals
// (method of variance estimates recovery, on logarithms: Zou and Donner 2008), widened so that all series
// together keep 95 %. The record's intervals are of one launch each; what differs from launch to launch is
// for the tolerance to cover.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reports/record/report.hpp"

namespace mlc {

inline constexpr std::string_view comparison_schema = "mlc-bench/comparison/v1";

enum class Change { same, better, worse, undecided };

struct CompareOptions {
  double tolerance =
      0.02;  // a difference that does not matter: the fleet rule calls a node suspect at 2 % too
};

// Something that is not the same about the two runs, so that a change may not be the code's.
struct Difference {
  std::string kind;  // "hardware", "policy", "tool", "software", "run"
  std::string what;  // "GPUs", "driver"
  std::string base, next;
  bool operator==(const Difference&) const = default;
};

struct SeriesChange {
  std::string name;                  // "allreduce float sum 1 MiB, 16 ranks"
  std::string metric;                // "time_us" or "gbit_s"
  std::optional<double> base, next;  // medians; empty where that report lacks the series
  std::array<double, 2> base_ci{}, next_ci{};
  std::optional<double> slowdown;       // new time over old, or old rate over new: above 1 is slower
  std::array<double, 2> slowdown_ci{};  // all series together: 95 %
  Change change = Change::undecided;
  bool regression = false;   // slower by more than the tolerance for certain, or wrong data
  bool may_regress = false;  // not excluded
  std::string why;
  bool operator==(const SeriesChange&) const = default;
};

struct FindingChange {
  std::string check, subject;
  std::optional<Status> base, next;
  std::string base_observed, next_observed, remedy;
  Change change = Change::undecided;
  bool regression = false, may_regress = false;
  bool operator==(const FindingChange&) const = default;
};

struct Comparison {
  std::string base_run, next_run, base_started, next_started;
  Decision base_decision = Decision::inconclusive, next_decision = Decision::inconclusive;
  double tolerance = 0;
  std::vector<Difference> differences;         // hardware, policy and tool first
  std::vector<SeriesChange> series;            // worst first
  std::vector<FindingChange> findings;         // worst first
  Decision decision = Decision::inconclusive;  // fail: a regression beyond the tolerance
  std::vector<std::string> because;
  bool operator==(const Comparison&) const = default;
};

Comparison compare(const Report& base, const Report& next, const CompareOptions& options = {});

std::string_view series_word(Change change);   // "SAME", "FASTER", "SLOWER", "UNDECIDED"
std::string_view finding_word(Change change);  // "SAME", "BETTER", "WORSE", "UNDECIDED"

// ln of a ratio of two medians with an interval each (value, low, high); `widen` scales the half widths.
std::array<double, 2> log_ratio_interval(const std::array<double, 3>& over,
                                         const std::array<double, 3>& under, double widen);

// How much wider than one 95 % interval each of `count` must be for all to hold together (Bonferroni).
double joint_width(std::size_t count);

}  // namespace mlc
