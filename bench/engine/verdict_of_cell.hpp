// Collects the batches of one cell and says what they answer. Pure; lives on rank 0.
#pragma once

#include <span>

#include "bench/engine/runner.hpp"
#include "bench/stats/sequential_test.hpp"

namespace mlc {

class CellJudge {
 public:
  // A batch is at least `thin` iterations and at least question.batch_s long (with `by_time` false: just
  // `thin`).
  CellJudge(const Question& question, double busbw_bytes, int thin, bool by_time);
  void add(std::span<const double> seconds);
  bool decided() const { return test_.answer() != Answer::undecided; }
  bool exhausted() const { return test_.samples() >= static_cast<std::uint64_t>(question_.max_batches); }
  // `observed` is the metric from the median time, for the sentence.
  Judgement judgement(double observed) const;

 private:
  Question question_;
  double busbw_bytes_;  // bytes x bus (or wire) factor, over time
  int thin_;
  bool by_time_;
  double batch_seconds_ = 0;
  int batch_iterations_ = 0;
  SequentialTest test_;
};

}  // namespace mlc
