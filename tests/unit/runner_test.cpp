#include "bench/engine/runner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "bench/backends/loopback.hpp"

namespace mlc {
namespace {

// Time that passes only in operations, and as scripted.
class ScriptedClock final : public Clock {
 public:
  double now() override { return now_; }
  void pass(double seconds) { now_ += seconds; }
  std::function<double(int operation)> script = [](int) { return 1e-3; };
  int operations = 0;

 private:
  double now_ = 0;
};

thread_local ScriptedClock* clock_of_this_rank = nullptr;

// allreduce that takes as long as the script says.
const Collective& scripted_allreduce() {
  static const Collective collective = [] {
    Collective c = *find_collective("allreduce");
    c.run = [](Communicator& communicator, const Call& call) {
      communicator.all_reduce(call);
      clock_of_this_rank->pass(clock_of_this_rank->script(clock_of_this_rank->operations++));
    };
    return c;
  }();
  return collective;
}

// The same of a rooted operation.
const Collective& scripted_reduce() {
  static const Collective collective = [] {
    Collective c = *find_collective("reduce");
    c.run = [](Communicator& communicator, const Call& call) {
      communicator.reduce(call);
      clock_of_this_rank->pass(clock_of_this_rank->script(clock_of_this_rank->operations++));
    };
    return c;
  }();
  return collective;
}

struct Setting {
  int ranks = 2;
  const Collective* collective = &scripted_allreduce();
  RunnerOptions options;
  std::optional<Question> question;
  Placement placement = Placement::out_of_place;
  std::function<double(int rank, int operation)> script = [](int, int) { return 1e-3; };
  std::uint64_t bytes = 40'000;
  Clock* other_clock = nullptr;  // shared: one that is only read
};

// What a run came to besides its series.
struct Doubts {
  std::string clock, fault;
};

Series measure(const Setting& setting, Doubts* doubts = nullptr) {
  Series series;
  run_loopback(setting.ranks, [&](Communicator& communicator) {
    ScriptedClock clock;
    const int rank = communicator.control().rank();
    clock.script = [&, rank](int operation) { return setting.script(rank, operation); };
    clock_of_this_rank = &clock;
    Pulse pulse;
    std::vector<std::string> nodes;
    for (int r = 0; r < setting.ranks; ++r)
      nodes.push_back("node-" + std::to_string(r));
    Runner runner(communicator, clock, pulse, setting.options, nodes, {}, setting.other_clock);
    const Cell cell{.collective = setting.collective,
                    .placement = setting.placement,
                    .requested_bytes = setting.bytes,
                    .bytes = setting.bytes,
                    .count = setting.bytes / 4};
    runner.prepare({cell});
    const Series mine = runner.measure(cell, setting.question);
    const std::string never_planted = runner.never_planted();
    if (rank == 0) series = mine;
    if (rank == 0 && doubts) *doubts = {runner.clock_fault(), never_planted};
  });
  return series;
}

TEST(Runner, TheSlowestRankDefinesTheIteration) {
  Setting s{.ranks = 3};
  s.script = [](int rank, int) { return rank == 2 ? 2e-3 : 1e-3; };
  const Series series = measure(s);
  EXPECT_NEAR(series.time_us.p50, 2000, 1e-6);
  EXPECT_NEAR(series.algbw_gb_s, 40'000 / 2e-3 / 1e9, 1e-9);
  EXPECT_NEAR(series.busbw_gb_s, series.algbw_gb_s * 4 / 3, 1e-9);
  ASSERT_TRUE(series.slowest);
  EXPECT_EQ(series.slowest->rank, 2);
  EXPECT_EQ(series.slowest->node, "node-2");
  EXPECT_NEAR(series.slowest->excess, 1.0, 1e-9);
  EXPECT_EQ(series.stop, "precise");
  EXPECT_EQ(series.wrong, 0u);
}

TEST(Runner, NamesNoneOfTwoRanksAsTheSlowest) {
  Setting s;
  s.script = [](int rank, int) { return rank == 1 ? 2e-3 : 1e-3; };
  EXPECT_FALSE(measure(s).slowest);
}

TEST(Runner, DoesNotCompareTheRootWithTheOthers) {
  Setting s{.ranks = 5, .collective = &scripted_reduce()};
  s.script = [](int rank, int) { return rank == 0 ? 9e-3 : 1e-3; };
  const Series root_is_slow = measure(s);
  EXPECT_NEAR(root_is_slow.time_us.p50, 9000, 1e-6);
  EXPECT_FALSE(root_is_slow.slowest);
  // Another is found behind the root, though it is never the slowest of all.
  s.script = [](int rank, int) { return rank == 0 ? 9e-3 : rank == 3 ? 8e-3 : 1e-3; };
  const Series series = measure(s);
  ASSERT_TRUE(series.slowest);
  EXPECT_EQ(series.slowest->rank, 3);
}

// OSU and IMB: what a rank's own clock saw, averaged over ranks and calls.
TEST(Runner, APeersTimingIsTheMeanOverRanks) {
  for (const Timing timing : {Timing::osu, Timing::imb}) {
    Setting s{.ranks = 3};
    s.options.timing = timing, s.options.iterations = 100;
    s.script = [](int rank, int operation) { return (rank == 2 ? 4e-3 : 1e-3) + (operation % 2) * 1e-3; };
    const Series series = measure(s);
    EXPECT_NEAR(series.time_us.mean, 2500, 1);
    EXPECT_EQ(series.samples, 100u);
    EXPECT_EQ(series.timing, to_string(timing));
    EXPECT_NEAR(series.algbw_gb_s, 40'000 / 2.5e-3 / 1e9, 1e-5);
    ASSERT_TRUE(series.slowest);
    EXPECT_EQ(series.slowest->rank, 2);
  }
}

TEST(Runner, FixedCountsAreExact) {
  for (int n : {1, 7, 20, 12'345}) {
    Setting s;
    s.options.iterations = n, s.options.warmup = 0;
    const Series series = measure(s);
    EXPECT_EQ(series.samples, static_cast<std::uint64_t>(n));
    EXPECT_EQ(series.stop, "fixed");
  }
}

TEST(Runner, NoiseEndsAtTheTimeCapAndSaysSo) {
  Setting s;
  std::mt19937_64 random(1);
  std::vector<double> noise(200'000);
  std::lognormal_distribution<double> heavy(-3, 2);
  for (double& x : noise)
    x = heavy(random);
  s.script = [&noise](int, int operation) { return noise[static_cast<std::size_t>(operation)]; };
  s.options.max_seconds = 2, s.options.precision = 1e-6;
  EXPECT_EQ(measure(s).stop, "time");
}

TEST(Runner, WarmUpGoesOnUntilTimesSettle) {
  Setting s;
  s.script = [](int, int operation) { return operation < 12 ? 50e-3 / (operation + 1) : 1e-3; };
  const Series series = measure(s);
  EXPECT_NEAR(series.time_us.max, 1000, 1e-6) << "an unsettled time was counted";
  EXPECT_THAT(series.warnings, testing::IsEmpty());
}

TEST(Runner, DriftIsReported) {
  Setting s;
  s.script = [](int, int operation) { return 1e-3 * std::pow(1.02, operation); };
  s.options.max_seconds = 0.05;
  EXPECT_THAT(measure(s).warnings, testing::Contains(testing::HasSubstr("drifting")));
}

Question at_least(double busbw) { return {.bound = busbw}; }

TEST(Runner, AThresholdIsPassedFailedOrLeftOpen) {
  Setting s;  // 1 ms with 1 % of noise: busbw 0.04 GB/s
  std::mt19937_64 random(2);
  std::normal_distribution<double> jitter(1e-3, 1e-5);
  std::vector<double> times(100'000);
  for (double& t : times)
    t = jitter(random);
  s.script = [&times](int, int operation) {
    return times[static_cast<std::size_t>(operation) % times.size()];
  };
  s.question = at_least(0.038);
  Series series = measure(s);
  ASSERT_TRUE(series.threshold);
  EXPECT_EQ(series.threshold->status, Status::pass);
  EXPECT_EQ(series.stop, "decided");
  s.question = at_least(0.042);
  series = measure(s);
  EXPECT_EQ(series.threshold->status, Status::fail);
  EXPECT_THAT(series.threshold->why, testing::HasSubstr("under 0.04200 GB/s"));
}

TEST(Runner, TooNoisyToJudgeIsUnknown) {
  Setting s;
  std::mt19937_64 random(3);
  std::bernoulli_distribution coin(0.5);
  std::vector<double> times(100'000);
  // Half the batches well above, half well below the bound.
  for (std::size_t i = 0; i < times.size(); i += 30) {
    const double t = coin(random) ? 0.7e-3 : 1.3e-3;
    for (std::size_t k = i; k < std::min(i + 30, times.size()); ++k)
      times[k] = t;
  }
  s.script = [&times](int, int operation) {
    return times[static_cast<std::size_t>(operation) % times.size()];
  };
  s.question = at_least(0.04);
  const Series series = measure(s);
  EXPECT_EQ(series.threshold->status, Status::unknown);
  EXPECT_THAT(series.stop, testing::AnyOf("batches", "time"));
}

TEST(Runner, ATimeThresholdIsAnUpperBound) {
  Setting s;
  s.question = Question{.metric = Question::Metric::time_us, .bound = 1100};
  EXPECT_EQ(measure(s).threshold->status, Status::pass);
  s.question->bound = 900;
  EXPECT_EQ(measure(s).threshold->status, Status::fail);
}

// For admission nothing is concluded on less than the time of observation; what it rests on is in the series.
TEST(Runner, AdmissionObservesForAsLongAsItIsAsked) {
  Setting s;
  s.question = Question{.bound = 0.038, .observe_s = 2};
  Series series = measure(s);
  EXPECT_EQ(series.threshold->status, Status::pass);
  EXPECT_EQ(series.threshold->observe_s, 2);
  ASSERT_TRUE(series.observation);
  EXPECT_GE(series.observation->wall_s, 2);
  EXPECT_NEAR(series.observation->wall_busbw_gb_s, 0.04, 1e-9);
  EXPECT_EQ(series.observation->blocks, series.observation->blocks_reached);
  s.question->observe_s = 0;
  series = measure(s);
  EXPECT_EQ(series.threshold->status, Status::pass);
  EXPECT_LE(series.observation->wall_s, 0.5) << "quick";
  s.question.reset();
  EXPECT_FALSE(measure(s).observation);
}

TEST(Runner, WhatThrottlesWhileItIsObservedDoesNotPass) {
  Setting s;
  s.script = [](int, int operation) { return operation < 1000 ? 1e-3 : 1.2e-3; };
  s.question = Question{.bound = 0.038};
  EXPECT_EQ(measure(s).threshold->status, Status::pass) << "a second of grace is more than quick looks at";
  s.question->observe_s = 3;
  EXPECT_NE(measure(s).threshold->status, Status::pass);
}

TEST(Runner, AStallOfOneIterationIsToldApartFromNoise) {
  Setting s;
  s.script = [](int, int operation) { return operation / 2 == 750 ? 0.7 : 1e-3; };
  s.question = Question{.bound = 0.02, .observe_s = 3};
  const Series series = measure(s);
  EXPECT_EQ(series.threshold->status, Status::unknown);
  EXPECT_EQ(series.threshold->doubt, "stall");
  EXPECT_THAT(series.threshold->why, testing::HasSubstr("one iteration took 700"));
}

TEST(Runner, AClockThatJumpsBackOrStandsStillJudgesNothing) {
  for (const double jump : {-5.0, 0.0, std::nan("")}) {
    Setting s;
    s.script = [jump](int, int operation) { return operation > 100 && operation % 50 == 0 ? jump : 1e-3; };
    s.question = Question{.bound = 0.038};
    const Series series = measure(s);
    if (!series.threshold) {
      EXPECT_EQ(series.stop, "clock") << jump;  // the other clock saw it first
      continue;
    }
    EXPECT_EQ(series.threshold->status, Status::unknown) << jump;
    EXPECT_EQ(series.threshold->doubt, "clock") << jump;
    EXPECT_THAT(series.threshold->why, testing::HasSubstr("clock"));
    EXPECT_TRUE(std::isfinite(series.busbw_gb_s)) << jump;
    EXPECT_TRUE(std::isfinite(series.observation->wall_busbw_gb_s)) << jump;
  }
}

TEST(Runner, ThePlantedBitIsFoundAndNothingElse) {
  for (Placement placement : {Placement::out_of_place, Placement::in_place}) {
    Setting s{.ranks = 4, .placement = placement};
    s.options.fault = Fault{.kind = Fault::Kind::flip, .place = 2, .index = 777, .bit = 9};
    const Series series = measure(s);
    EXPECT_EQ(series.wrong, 1u);
    ASSERT_TRUE(series.mismatch);
    EXPECT_EQ(series.mismatch->rank, 2);
    EXPECT_EQ(series.mismatch->node, "node-2");
    EXPECT_EQ(series.mismatch->index, 777u);
    EXPECT_EQ(series.mismatch->kind, "bit 9 flipped");
  }
}

TEST(Runner, NotVerifiedIsSaidAndNotCalledCorrect) {
  Setting s;
  s.options.check = 0;
  EXPECT_FALSE(measure(s).wrong.has_value());
}

// A frozen clock would let the time limit never come.
TEST(Runner, AClockThatStandsStillEndsTheRunWithAReason) {
  for (const bool asked : {false, true}) {
    Setting s;
    s.script = [](int, int operation) { return operation < 300 ? 1e-3 + operation % 2 * 1e-3 : 0; };
    s.options.precision = 1e-9, s.options.max_seconds = 1e6;
    s.options.max_seconds_question = 1e6;
    if (asked) s.question = Question{.bound = 0.04, .batch_s = 1e9};  // no batch is ever whole
    Doubts doubts;
    const Series series = measure(s, &doubts);
    EXPECT_THAT(doubts.clock, testing::HasSubstr("rank 0 on node-0: its clock"));
    EXPECT_THAT(doubts.clock, testing::HasSubstr("stands still"));
    EXPECT_EQ(series.stop, "clock");
    EXPECT_EQ(series.busbw_gb_s, 0) << "infinitely fast is no figure";
    EXPECT_FALSE(series.threshold);
    EXPECT_EQ(series.wrong, 0u) << "what was verified was verified";
  }
}

TEST(Runner, AClockThatNeverMovedTimesNothing) {
  for (const int rank : {0, 1}) {
    Setting s;
    s.script = [rank](int mine, int) { return mine == rank ? 0 : 1e-3; };
    s.options.iterations = 20;  // ends by its count
    Doubts doubts;
    measure(s, &doubts);
    EXPECT_THAT(doubts.clock, testing::HasSubstr("rank " + std::to_string(rank) + " on"));
  }
}

TEST(Runner, AnotherClockThatDisagreesIsHeard) {
  RawClock real;  // hours pass by the script, and next to nothing by this
  Setting s;
  s.script = [](int, int) { return 60; };
  s.options.max_seconds = 36'000;
  s.other_clock = &real;
  Doubts doubts;
  measure(s, &doubts);
  EXPECT_THAT(doubts.clock, testing::HasSubstr("disagree"));
}

TEST(Runner, AFaultThatWasNeverPlantedIsSaid) {
  Setting s;
  s.options.iterations = 20, s.options.warmup = 0;
  Doubts doubts;
  for (const auto kind : {Fault::Kind::hang, Fault::Kind::die}) {
    s.options.fault = Fault{.kind = kind, .place = 1, .after = 1'000'000};
    measure(s, &doubts);
    EXPECT_THAT(doubts.fault, testing::HasSubstr("never planted: after=1000000 lets more pass than the 2"));
  }
  s.options.fault = Fault{.kind = Fault::Kind::flip, .place = 1, .index = 7, .bit = 3};
  EXPECT_EQ(measure(s, &doubts).wrong, 1u);
  EXPECT_EQ(doubts.fault, "");
  s.options.fault->index = 1'000'000;  // no cell has it
  EXPECT_EQ(measure(s, &doubts).wrong, 0u);
  EXPECT_THAT(doubts.fault, testing::HasSubstr("never planted"));
  s.options.fault.reset();
  measure(s, &doubts);
  EXPECT_EQ(doubts.fault, "");
}

// An operation that writes beyond its result is caught by the guard zones.
TEST(Runner, WritingOutsideTheBufferIsFound) {
  static Collective wild = scripted_allreduce();
  wild.run = [](Communicator& communicator, const Call& call) {
    communicator.all_reduce(call);
    static_cast<std::byte*>(call.recv)[call.count * 4 + 10] = std::byte{7};
    clock_of_this_rank->pass(1e-3);
  };
  Series series;
  run_loopback(2, [&](Communicator& communicator) {
    ScriptedClock clock;
    clock_of_this_rank = &clock;
    Pulse pulse;
    Runner runner(communicator, clock, pulse, {}, {"a", "b"});
    const Cell cell{.collective = &wild, .requested_bytes = 400, .bytes = 400, .count = 100};
    runner.prepare({cell});
    const Series mine = runner.measure(cell, {});
    if (communicator.control().rank() == 0) series = mine;
  });
  ASSERT_TRUE(series.mismatch);
  EXPECT_THAT(series.mismatch->kind, testing::HasSubstr("outside the receive buffer"));
}

}  // namespace
}  // namespace mlc
