#include "bench/engine/verdict_of_cell.hpp"

#include <cmath>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

// A bound of a slow link must not read as none.
std::string rate_text(double gb_s) { return fixed(gb_s, gb_s < 0.1 ? 5 : 2) + " GB/s"; }

bool wants_time(const Question& question) { return question.metric == Question::Metric::time_us; }

// "Time at most T" is "at least 1 / T operations a second".
JudgingRules rules_of(const Question& question, bool by_time) {
  return {.bound = wants_time(question) ? 1e6 / question.bound : question.bound,
          .false_admit = question.false_admit,
          .false_reject = question.false_reject,
          .batch_s = by_time ? question.batch_s : 0,
          .observe_s = question.observe_s,
          .stall_s = question.stall_s};
}

}  // namespace

CellJudge::CellJudge(const Question& question, double busbw_bytes, bool by_time)
    : question_(question),
      work_(wants_time(question) ? 1 : busbw_bytes / 1e9),
      judging_(rules_of(question, by_time)) {}

void CellJudge::add(std::span<const double> seconds, double wall_s) {
  for (double s : seconds)
    judging_.add(work_, s);
  judging_.took(wall_s);
  if (judging_.observed_s() < question_.observe_s) {
    ruling_ = {Conclusion::undecided, Doubt::too_short};
    return;
  }
  evidence_ = judging_.evidence();
  ruling_ = rule_on(evidence_, judging_.rules());
}

bool CellJudge::exhausted() const {
  return question_.observe_s == 0 && evidence_.blocks >= static_cast<std::uint64_t>(question_.max_batches);
}

void CellJudge::end() {
  if (decided()) return;
  evidence_ = judging_.evidence(/*last=*/true);
  ruling_ = rule_on(evidence_, judging_.rules());
}

Observation CellJudge::observation(double busbw_bytes) const {
  const Evidence& e = evidence_;
  return {.timed_s = e.timed_s,
          .wall_s = e.wall_s,
          .untimed = e.untimed,
          .wall_busbw_gb_s = e.overall / work_ * busbw_bytes / 1e9,
          .longest_us = e.longest_s * 1e6,
          .correlation_s = e.correlation_s,
          .block_s = e.block_s,
          .blocks = e.blocks,
          .blocks_reached = e.blocks_reached,
          .slices = e.slices,
          .slices_reached = e.slices_reached,
          .end_share = e.end_share,
          .drift = e.drift,
          .drift_z = e.drift_z};
}

// Why it is not decided, or what else than the median it failed by.
std::string CellJudge::because(const std::string& value) const {
  const Evidence& e = evidence_;
  const auto seconds = [](double s) { return time_text(s * 1e6); };
  const auto metric = [&](double rate) {
    return wants_time(question_) ? time_text(1e6 / rate) : rate_text(rate);
  };
  switch (ruling_.doubt) {
    case Doubt::clock:
      return "the clock cannot be trusted: " +
             (e.untimed > 0 ? std::to_string(e.untimed) + " of " + std::to_string(e.iterations) +
                                  " iterations have no time above zero"
                            : seconds(e.timed_s) + " of iterations in " + seconds(e.wall_s)) +
             "; look at the node's clock source (dmesg, chronyc tracking)";
    case Doubt::too_short:
      return value + " observed for " + seconds(e.wall_s) + " of the " + seconds(question_.observe_s) +
             " that admission asks for; raise --max-time, or leave -n away";
    case Doubt::stalls:
      return value + ", but over all of the time " + metric(e.overall) + ": it stalls; the longest took " +
             seconds(e.longest_s) + " of usually " + seconds(e.typical_s);
    case Doubt::stall:
      return value + ", but one iteration took " + seconds(e.longest_s) + " of usually " +
             seconds(e.typical_s) + "; look for retransmissions, link flaps, a busy CPU";
    case Doubt::end_below:
      return value + ", but not at the end: of its last blocks " + percent_text(e.end_share) +
             " reach the bound; look for clocks that were lowered by heat or power";
    case Doubt::falling:
      return value + " and falling, " + percent_text(-e.drift) + " from the first third to the last of " +
             seconds(e.wall_s) + "; look for clocks that are lowered by heat or power";
    case Doubt::noise:
    case Doubt::none:
      break;
  }
  if (ruling_.conclusion == Conclusion::below)
    return value + " as a median, but it does not hold: " + std::to_string(e.blocks_reached) + " of " +
           std::to_string(e.blocks) + " blocks reach that, and over all of the time it is " +
           metric(e.overall) + "; look for what stops it (a busy CPU, retransmissions, a hung peer)";
  return value + ": not decided after " + std::to_string(e.blocks) + " batches" +
         (e.correlation_s > 0
              ? " of " + seconds(e.block_s) + ", as the noise lasts " + seconds(e.correlation_s)
              : "") +
         "; too near the bound, too noisy or too short a time";
}

Judgement CellJudge::judgement(double observed) const {
  Judgement judgement;
  const bool wire = question_.metric == Question::Metric::wire_gb_s;
  judgement.metric = wants_time(question_) ? "time_us" : wire ? "wire_gb_s" : "busbw_gb_s";
  judgement.bound = question_.bound, judgement.observe_s = question_.observe_s;
  const std::string value = wants_time(question_) ? "median time " + time_text(observed)
                                                  : (wire ? "on the wire " : "busbw ") + rate_text(observed);
  const std::string bound = wants_time(question_) ? time_text(question_.bound) : rate_text(question_.bound);
  const double off = observed / question_.bound - 1;
  switch (ruling_.conclusion) {
    case Conclusion::at_least:
      judgement.status = Status::pass;
      break;
    case Conclusion::below:
      judgement.status = Status::fail;
      break;
    case Conclusion::undecided:
      judgement.status = Status::unknown;
      break;
  }
  if (ruling_.doubt != Doubt::none) judgement.doubt = to_string(ruling_.doubt);
  // Failed by its blocks, with a median on the other side of the bound.
  const bool contrary = judgement.status == Status::fail && (wants_time(question_) ? off < 0 : off > 0);
  judgement.why =
      judgement.status == Status::unknown || ruling_.doubt != Doubt::none || contrary
          ? because(value + " against " + bound)
          : value + ", " + percent_text(std::fabs(off)) + (off < 0 ? " under " : " over ") + bound;
  return judgement;
}

}  // namespace mlc
