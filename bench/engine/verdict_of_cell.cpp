#include "bench/engine/verdict_of_cell.hpp"

#include <cmath>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

bool wants_time(const Question& question) { return question.metric == Question::Metric::time_us; }

}  // namespace

// "Time at most T" is "minus time at least minus T".
CellJudge::CellJudge(const Question& question, double busbw_bytes, int thin, bool by_time)
    : question_(question),
      busbw_bytes_(busbw_bytes),
      thin_(thin),
      by_time_(by_time),
      test_(wants_time(question) ? -question.bound : question.bound, question.false_admit,
            question.false_reject) {}

void CellJudge::add(std::span<const double> seconds) {
  for (double s : seconds) {
    batch_seconds_ += s, ++batch_iterations_;
    if (batch_iterations_ < thin_ || (by_time_ && batch_seconds_ < question_.batch_s)) continue;
    const double mean = batch_seconds_ / batch_iterations_;
    batch_seconds_ = 0, batch_iterations_ = 0;
    if (!decided() && !exhausted())
      test_.add(wants_time(question_) ? -mean * 1e6 : busbw_bytes_ / mean / 1e9);
  }
}

Judgement CellJudge::judgement(double observed) const {
  Judgement judgement;
  const bool wire = question_.metric == Question::Metric::wire_gb_s;
  judgement.metric = wants_time(question_) ? "time_us" : wire ? "wire_gb_s" : "busbw_gb_s";
  judgement.bound = question_.bound;
  const std::string value = wants_time(question_)
                                ? "median time " + time_text(observed)
                                : (wire ? "on the wire " : "busbw ") + fixed(observed, 2) + " GB/s";
  const std::string bound =
      wants_time(question_) ? time_text(question_.bound) : fixed(question_.bound, 2) + " GB/s";
  const double off = observed / question_.bound - 1;
  const std::string distance = percent_text(std::fabs(off)) + (off < 0 ? " under " : " over ") + bound;
  switch (test_.answer()) {
    case Answer::at_least:
      judgement.status = Status::pass;
      break;
    case Answer::below:
      judgement.status = Status::fail;
      break;
    case Answer::undecided:
      judgement.status = Status::unknown;
      break;
  }
  if (judgement.status == Status::unknown)
    judgement.why = value + " against " + bound + ": not decided after " + std::to_string(test_.samples()) +
                    " batches; too near the bound or too noisy";
  else
    judgement.why = value + ", " + distance;
  return judgement;
}

}  // namespace mlc
