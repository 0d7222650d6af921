// From results to what the report says: each rail with its judgement and reason, findings, sums, matrices,
// histograms. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/rdma/session.hpp"
#include "reports/record/report.hpp"

namespace mlc::rdma {

// What to judge by; resolved from the policy on the end whose plan counts, so that both ends judge alike.
struct Bounds {
  double rail_gbit_s = 0;               // target of one rail; 0: the rate of its port
  double siblings_at_least = 0;         // share of the median of the other rails; 0: not asked
  double together_at_least = 0;         // share of the sum of the solo runs; 0: not asked
  std::optional<double> latency_us;     // p50 at most
  std::uint64_t from_bytes = 64 << 10;  // sizes below are shown and not judged
  bool operator==(const Bounds&) const = default;
};

struct Judged {
  Status status = Status::unknown;
  std::string why;       // what was asked and is not so; empty on a pass or where nothing is asked
  std::string expected;  // "at least 186.27 Gbit/s"
  std::optional<double> over_siblings;
};

// One result against its bounds and against the other results of its meeting.
Judged judge(const LaneResult& result, const Meet& meet, const Plan& plan, const Bounds& bounds);

// True where `judge` fails it: it calls for another attempt.
bool calls_for_retest(const LaneResult& result, const Meet& meet, const Plan& plan, const Bounds& bounds);

// Writes rails, sums, matrices, histograms, meetings and findings into the report, in place of those it had:
// called again and again while a run goes on.
void write_to_report(Report& report, const std::vector<Meet>& meets, const Plan& plan, const Bounds& bounds,
                     const std::vector<NodeFacts>& ends);

}  // namespace mlc::rdma
