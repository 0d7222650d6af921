// Two reports against each other, by intervals and never by a bare percentage. Pure.
//
// A series is compared by the ratio of its medians over the launches of each side (launches.hpp: Welch's t on
// their logarithms), so that all series together keep 95 %. Series of one report that measure the same are
// launches of it, whether one run made them or a burn-in's stage or a folder of runs. One launch a side
// decides nothing: what launches differ by is then not known.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reports/history/differences.hpp"
#include "reports/record/report.hpp"

namespace mlc {

inline constexpr std::string_view comparison_schema = "mlc-bench/comparison/v1";

enum class Change { same, better, worse, undecided };

struct CompareOptions {
  double tolerance =
      0.02;  // a difference that does not matter: the fleet rule calls a node suspect at 2 % too
};

struct SeriesChange {
  std::string name;                            // "allreduce float sum 1 MiB, 16 ranks"
  std::string metric;                          // "time_us" or "gbit_s"
  std::optional<double> base, next;            // medians; empty where that report lacks the series
  std::array<double, 2> base_ci{}, next_ci{};  // 95 %, over the launches; of one launch, its own
  std::size_t base_launches = 0, next_launches = 0;
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

}  // namespace mlc
