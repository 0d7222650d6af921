// "Does it reach the bound?", of a rate whose noise is not tame: samples that depend on one another, stalls
// that a median does not see, heat that comes late, launches that differ, a clock that cannot be trusted.
// Pure.
//
// Iterations are put together in blocks at least as long as the time over which they are correlated; the sign
// test (sequential_test.hpp) counts the blocks that reach the bound. That the median is reached is then not
// enough: so must be the bound by all work over all time, and by the last blocks; and where a time of
// observation is asked for (admission), nothing is concluded on less, a fall that goes on would not cross the
// bound in as much time again, and no single iteration stalls. How often this errs, and over which noise:
// docs/error_rates.md, made by tests/stats.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "bench/stats/sequential_test.hpp"

namespace mlc {

struct JudgingRules {
  double bound = 0;  // rate, at least; in the caller's work per second
  double false_admit = 1e-3, false_reject = 1e-2;
  double batch_s = 0.02;  // no block is shorter
  double observe_s = 0;   // admission: no conclusion on less; 0: quick
  double stall_s = 0.5;   // admission: by how much the longest iteration may exceed the median one
};

// What a judgement rests on: enough to repeat it (rule_on).
struct Evidence {
  std::uint64_t iterations = 0;
  std::uint64_t untimed = 0;  // of them, whose time was not above zero, or no number
  double timed_s = 0;         // all iterations
  double wall_s = 0;          // the same stretches by the clock, waits between the iterations included
  double median = 0;          // of the rates
  double overall = 0;         // rate: all work over all time, stalls between the iterations included
  double typical_s = 0;       // time of an iteration at the median rate
  double longest_s = 0;       // of an iteration, or of a stall between two
  double correlation_s = 0;   // time in which the correlation falls to 1/e; 0: none was seen
  double block_s = 0;         // no judged block is shorter
  std::uint64_t blocks = 0, blocks_reached = 0;  // whole blocks, those at or above the bound
  std::uint64_t slices = 0, slices_reached = 0;  // the same of twenty equal parts of the time
  double end_share = 0;  // least share that reached, of the last 5, 10 ... blocks and batches
  double drift = 0;      // median of the last third over that of the first, minus one
  double drift_z = 0;    // of the two thirds' blocks by rank sums (Mann, Whitney), normal; 0: too few blocks
};

// A host's barrier stands between iterations and is not timed: so much of it is no stall.
inline constexpr double usual_wait_s = 1e-3;

// Why there is no conclusion, or what it came from.
enum class Doubt {
  none,
  clock,      // iterations without a time, or more time in them than passed
  too_short,  // observed for less than was asked
  noise,      // too near the bound, too noisy, or too few independent blocks
  stalls,     // the median reaches the bound, all work over all time does not
  stall,      // one iteration took too long
  end_below,  // the last blocks do not reach it
  falling,    // they do, but would not if it went on like this
};
std::string_view to_string(Doubt doubt);

struct Ruling {
  Conclusion conclusion = Conclusion::undecided;
  Doubt doubt = Doubt::none;
  bool operator==(const Ruling&) const = default;
};

Ruling rule_on(const Evidence& evidence, const JudgingRules& rules);

// Nothing more is to be learnt: there is a conclusion, or what keeps it open will not pass.
bool is_final(const Ruling& ruling);

// Of launches with communicators of their own: the worst must reach the bound. One of several that fell short
// is not enough to say that the node does (launches differ); two are, or all.
Conclusion over_launches(std::span<const Conclusion> launches);

// Work done in a time: an iteration, or several that are kept as one.
struct TimedWork {
  double work = 0, seconds = 0;
};

// Longest time after which blocks of the stretches are still correlated beyond chance, as the time in which
// the correlation would fall to 1/e; 0: none. Lag-1 correlation of block means at all lengths, doubled until
// fewer than 8 blocks are left; corrected for its bias in short series (Marriott and Pope, Biometrika 41,
// 1954), significant at two standard errors above 0.1. Of AR(1) noise it says one to three times what it is.
double correlation_time(std::span<const TimedWork> stretches);

class Judging {
 public:
  explicit Judging(const JudgingRules& rules);

  // One iteration.
  void add(double work, double seconds);
  // What the clock says of the iterations added since the last call, waits between them included.
  void took(double wall_s);

  // `last`: no more will come, so the blocks are as long as the time allows, even where that is short.
  Evidence evidence(bool last = false) const;
  Ruling ruling(bool last = false) const { return rule_on(evidence(last), rules_); }
  const JudgingRules& rules() const { return rules_; }
  double observed_s() const { return wall_s_ > 0 ? wall_s_ : timed_s_; }

 private:
  double block_length(double correlation_s, std::span<const double> batches, bool last) const;
  void judge_blocks(Evidence& evidence, std::span<const double> rates) const;
  void keep(double work, double seconds);

  JudgingRules rules_;
  double fine_s_;                     // stretches are at least this long, the last one may still grow
  std::vector<TimedWork> stretches_;  // a few thousand: when there are many, two and two are made one
  std::uint64_t iterations_ = 0, untimed_ = 0;
  double work_ = 0, timed_s_ = 0, wall_s_ = 0, stalled_s_ = 0, longest_s_ = 0;
  std::uint64_t since_ = 0;  // iterations since the last took(), and their time
  double since_s_ = 0;
};

}  // namespace mlc
