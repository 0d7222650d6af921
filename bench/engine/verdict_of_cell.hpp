// Collects the iterations of one cell and says what they answer. Pure; lives on rank 0.
#pragma once

#include <span>

#include "bench/engine/runner.hpp"
#include "bench/stats/judging.hpp"

namespace mlc {

class CellJudge {
 public:
  // `busbw_bytes`: bytes x bus (or wire) factor, over time the metric. With `by_time` false a batch is one
  // iteration, else at least question.batch_s long.
  CellJudge(const Question& question, double busbw_bytes, bool by_time);

  // Iterations that followed each other, and what the clock says that they took together.
  void add(std::span<const double> seconds, double wall_s);
  bool decided() const { return is_final(ruling_); }
  bool exhausted() const;
  // For good, when sampling ends undecided: with as long blocks as there is room for.
  void end();

  const Ruling& ruling() const { return ruling_; }
  // `observed` is the metric from the median time, for the sentence.
  Judgement judgement(double observed) const;
  // `busbw_bytes`: bytes x bus factor, whatever the metric is.
  Observation observation(double busbw_bytes) const;

 private:
  std::string because(const std::string& value) const;

  Question question_;
  double work_;  // of an iteration: metric x seconds, or 1 where the time itself is judged
  Judging judging_;
  Evidence evidence_;
  Ruling ruling_;
};

}  // namespace mlc
