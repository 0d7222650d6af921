#include "reports/history/compare.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "reports/history/launches.hpp"
#include "reports/history/student.hpp"
#include "tests/reports/sample_history.hpp"
#include "tests/reports/sample_report.hpp"

namespace mlc {
namespace {

// A series of five launches whose medians have this middle and interval (95 %, over the launches); of one
// launch, with its own.
Series series_of(double median, double low, double high, std::uint64_t samples = 100, int launches = 5) {
  Series series;
  series.collective = "allreduce";
  series.dtype = "float";
  series.redop = "sum";
  series.bytes = 1 << 20;
  series.ranks = 8;
  series.samples = samples;
  series.time_us.p50 = median;
  series.ci_us = {low, high};
  series.wrong = 0;
  if (launches == 1) return series;
  // Two above and two below by the standard deviation, and one between.
  const double off = std::log(high / low) / 2 * std::sqrt(5) / student_quantile(0.025, 4);
  for (const double side : {1, -1, 1, -1, 0}) {
    const double p50 = median * std::exp(side * off);
    series.launches.push_back({p50, p50, {p50, p50}, samples / 5});
  }
  series.renewed = Renewed::processes;
  return series;
}

Report report_of(std::vector<Series> series) {
  Report report;
  report.series = std::move(series);
  return report;
}

SeriesChange change_of(const Series& base, const Series& next, double tolerance = 0.02) {
  return compare(report_of({base}), report_of({next}), {.tolerance = tolerance}).series.at(0);
}

TEST(Compare, FourAnswers) {
  const Series base = series_of(100, 99.5, 100.5);
  EXPECT_EQ(change_of(base, series_of(100.1, 99.6, 100.6)).change, Change::same);
  EXPECT_EQ(change_of(base, series_of(110, 109.5, 110.5)).change, Change::worse);
  EXPECT_EQ(change_of(base, series_of(90, 89.5, 90.5)).change, Change::better);
  EXPECT_EQ(change_of(base, series_of(103, 95, 111)).change, Change::undecided);
}

TEST(Compare, TenPerCentIsNoRegressionIfTheIntervalsAllowNone) {
  const SeriesChange noisy = change_of(series_of(100, 80, 125), series_of(110, 88, 137));
  EXPECT_EQ(noisy.change, Change::undecided);
  EXPECT_FALSE(noisy.regression);
  EXPECT_TRUE(noisy.may_regress);
}

TEST(Compare, ASmallCertainSlowdownIsSlowerButNoRegression) {
  // 1.8 % to 3.2 %: slower for certain, beyond 2 % perhaps.
  const SeriesChange change = change_of(series_of(100, 99.5, 100.5), series_of(102.5, 102, 103));
  EXPECT_EQ(change.change, Change::worse);
  EXPECT_FALSE(change.regression);
  EXPECT_TRUE(change.may_regress);
  EXPECT_TRUE(change_of(series_of(100, 99.5, 100.5), series_of(102.5, 102, 103), 0.01).regression);
}

TEST(Compare, EqualReadingsAreTheSameAtAnyTolerance) {
  EXPECT_EQ(change_of(series_of(100, 100, 100), series_of(100, 100, 100), 0).change, Change::same);
}

TEST(Compare, NoMedianNoAnswer) {
  const Series good = series_of(100, 99, 101);
  Series broken = good;
  broken.launches[3].p50_us = -1;
  for (const Series& bad : {series_of(0, 1, 2), series_of(NAN, 1, 2), series_of(INFINITY, 1, 2), broken,
                            series_of(0, 0, 0, 100, 1), series_of(200, 199, 201, 5)}) {
    for (const auto& change : {change_of(good, bad), change_of(bad, good)}) {
      EXPECT_EQ(change.change, Change::undecided);
      EXPECT_TRUE(change.may_regress);
      EXPECT_FALSE(change.why.empty());
    }
    EXPECT_EQ(compare(report_of({good}), report_of({bad})).decision, Decision::inconclusive);
  }
}

TEST(Compare, WrongDataIsARegressionAtAnySpeed) {
  Series wrong = series_of(50, 49.9, 50.1);
  wrong.wrong = 7;
  const auto comparison = compare(report_of({series_of(100, 99.9, 100.1)}), report_of({wrong}));
  EXPECT_TRUE(comparison.series[0].regression);
  EXPECT_EQ(comparison.decision, Decision::fail);
  wrong.wrong.reset();
  EXPECT_EQ(compare(report_of({series_of(100, 99.9, 100.1)}), report_of({wrong})).decision,
            Decision::inconclusive);
}

TEST(Compare, WhatIsMissingIsNotAPass) {
  const Series one = series_of(100, 99.9, 100.1);
  Series two = one;
  two.bytes *= 2;
  EXPECT_EQ(compare(report_of({one, two}), report_of({one})).decision, Decision::inconclusive);
  EXPECT_EQ(compare(report_of({one}), report_of({one, two})).decision,
            Decision::pass);  // new ones are welcome
  EXPECT_EQ(compare(report_of({one}), report_of({two})).decision, Decision::inconclusive);
  EXPECT_EQ(compare(Report{}, Report{}).decision, Decision::inconclusive);
}

// One launch sees nothing of what launches differ by, however narrow its own interval is.
TEST(Compare, OneLaunchASideDecidesNothing) {
  const Series one = series_of(100, 99.9, 100.1, 100, 1), twice = series_of(200, 199.9, 200.1, 100, 1);
  for (const auto& [base, next] : {std::pair(one, twice), std::pair(one, series_of(200, 199.9, 200.1)),
                                   std::pair(series_of(200, 199.9, 200.1), one), std::pair(one, one)}) {
    const Comparison comparison = compare(report_of({base}), report_of({next}));
    EXPECT_EQ(comparison.series[0].change, Change::undecided);
    EXPECT_FALSE(comparison.series[0].slowdown);
    EXPECT_THAT(comparison.series[0].why, ::testing::HasSubstr("one launch in the "));
    EXPECT_EQ(comparison.decision, Decision::inconclusive);
    EXPECT_THAT(comparison.because, ::testing::ElementsAre(::testing::HasSubstr("--launches 5")));
  }
}

// The same cell twice in a report, of a burn-in's stage or of several runs, is two launches.
TEST(Compare, TheSameSeriesAgainIsAnotherLaunch) {
  const auto launches = [](std::vector<double> medians) {
    std::vector<Series> list;
    for (const double median : medians)
      list.push_back(series_of(median, median * 0.999, median * 1.001, 100, 1));
    return report_of(std::move(list));
  };
  const Report base = launches({100, 101, 99, 100, 100.5});
  const Comparison slower = compare(base, launches({110, 111, 109, 110, 110.5}));
  ASSERT_EQ(slower.series.size(), 1u);
  EXPECT_EQ(slower.series[0].base_launches, 5u);
  EXPECT_TRUE(slower.series[0].regression);
  EXPECT_FALSE(compare(base, launches({101, 100, 99.5, 100, 100})).series[0].regression);
  // Wrong in any launch is wrong; one launch that was not verified is not verified.
  Report wrong = base;
  wrong.series[3].wrong = 2;
  EXPECT_EQ(compare(base, wrong).decision, Decision::fail);
  wrong.series[3].wrong.reset();
  EXPECT_EQ(compare(base, wrong).series[0].why, "data was verified in the base report only");
}

TEST(Compare, FieldsDoNotRunIntoEachOther) {
  Series a = series_of(100, 99.9, 100.1), b = a;
  a.collective = "ab", a.dtype = "c";
  b.collective = "a", b.dtype = "bc";
  EXPECT_EQ(compare(report_of({a}), report_of({b})).series.size(), 2u);
}

TEST(Compare, RailsAreComparedByRate) {
  Report base, next;
  RailResult rail{.node = "a",
                  .rail = 2,
                  .device = "mlx5_2",
                  .peer = "b",
                  .operation = "write",
                  .bytes = 8,
                  .gbit_s = 195,
                  .ci_gbit_s = {194.9, 195.1}};
  base.figures.rails = {rail, rail, rail};
  rail.gbit_s = 98, rail.ci_gbit_s = {97.9, 98.1};
  next.figures.rails = {rail, rail, rail};
  EXPECT_TRUE(compare(base, next).series.at(0).regression);
  EXPECT_EQ(compare(next, base).series.at(0).change, Change::better);
}

Finding finding_of(Status status) {
  return {"rdma.link-state", "mlx5_0/1", status, "seen", "wanted", "from", "do this"};
}

TEST(Compare, Findings) {
  const auto judged = [](std::optional<Status> base, std::optional<Status> next) {
    Report before = report_of({series_of(1, 1, 1)}), after = before;
    if (base) before.findings = {finding_of(*base)};
    if (next) after.findings = {finding_of(*next)};
    const Comparison comparison = compare(before, after);
    return std::pair(comparison.findings.at(0).change, comparison.decision);
  };
  using P = std::pair<Change, Decision>;
  EXPECT_EQ(judged(Status::pass, Status::pass), P(Change::same, Decision::pass));
  EXPECT_EQ(judged(Status::pass, Status::fail), P(Change::worse, Decision::fail));
  EXPECT_EQ(judged(Status::pass, Status::warn), P(Change::worse, Decision::pass));
  EXPECT_EQ(judged(Status::fail, Status::pass), P(Change::better, Decision::pass));
  EXPECT_EQ(judged(Status::fail, Status::fail), P(Change::same, Decision::pass));
  EXPECT_EQ(judged(Status::pass, Status::unknown), P(Change::undecided, Decision::inconclusive));
  EXPECT_EQ(judged(Status::pass, Status::skip), P(Change::undecided, Decision::inconclusive));
  EXPECT_EQ(judged(Status::unknown, Status::fail), P(Change::worse, Decision::fail));
  EXPECT_EQ(judged(Status::unknown, Status::pass), P(Change::undecided, Decision::pass));
  EXPECT_EQ(judged(Status::pass, std::nullopt), P(Change::undecided, Decision::inconclusive));
  EXPECT_EQ(judged(std::nullopt, Status::fail), P(Change::worse, Decision::fail));
  EXPECT_EQ(judged(std::nullopt, Status::pass), P(Change::undecided, Decision::pass));
}

TEST(Compare, DifferencesBeginWithHardwarePolicyAndTool) {
  Report base = test::healthy_report(), next = base;
  EXPECT_TRUE(compare(base, base).differences.empty());
  next.run.backend = "mpi";
  next.environment.nodes[0].kernel = "6.2";
  next.tool.version = "9";
  next.figures.policy->text += "x";
  next.environment.nodes[1].gpus.pop_back();
  std::vector<std::string> kinds;
  for (const auto& it : compare(base, next).differences)
    kinds.push_back(it.kind);
  EXPECT_THAT(kinds, ::testing::ElementsAre("hardware", "policy", "tool", "software", "run"));
}

TEST(Compare, AnErrorOfTheNewRunIsNoPass) {
  const Report base = test::rails_in_launches(test::healthy_report());
  Report next = base;
  next.errors.push_back({"rank 2 was killed", "", "", ""});
  EXPECT_EQ(compare(base, base).decision, Decision::pass);
  EXPECT_EQ(compare(base, next).decision, Decision::inconclusive);
}

TEST(Student, Quantiles) {
  EXPECT_NEAR(student_quantile(0.025, 4), 2.776445, 1e-5);
  EXPECT_NEAR(student_quantile(0.025, 8), 2.306004, 1e-5);
  EXPECT_NEAR(student_quantile(0.0025, 8), 3.832519, 1e-5);
  EXPECT_NEAR(student_quantile(0.025, 1), 12.7062, 1e-3);
  EXPECT_NEAR(student_quantile(0.025, 1e6), 1.959964, 1e-4);
}

TEST(Launches, RatioMatchesHandCalculation) {
  // Variances 4e-4 and 1e-4 of 5 launches each: t of 5.88 degrees of freedom.
  const LaunchSpread over{5, std::log(110), 4e-4}, under{5, std::log(100), 1e-4};
  const double freedom = 1e-8 / (0.64e-8 / 4 + 0.04e-8 / 4), half = student_quantile(0.025, freedom) * 1e-2;
  EXPECT_NEAR(freedom, 5.882, 1e-3);
  const auto interval = log_ratio_interval(over, under, 0.025);
  EXPECT_NEAR(interval[0], std::log(1.1) - half, 1e-12);
  EXPECT_NEAR(interval[1], std::log(1.1) + half, 1e-12);
}

TEST(Launches, AreNeverThoughtAlikerThanTheirSamplesAllow) {
  const std::vector<LaunchMedian> alike(4, {100, {98, 102}}), exact(4, {100, {100, 100}}), bare(4, {100, {}});
  EXPECT_NEAR(spread_of(alike).variance, std::pow(std::log(102.0 / 98) / 2 / 1.96, 2), 1e-7);
  EXPECT_EQ(spread_of(exact).variance, 0);
  EXPECT_EQ(spread_of(bare).variance, 0);
  EXPECT_GT(spread_of(std::vector<LaunchMedian>{{99, {98.9, 99.1}}, {101, {100.9, 101.1}}}).variance, 1.9e-4);
}

Series launch_of(double p50) {
  Series series = series_of(p50, p50 * 0.99, p50 * 1.01, 100, 1);
  series.time_us = {p50 * 0.9, p50, p50 * 1.1, p50 * 1.2, p50 * 2, p50};
  series.algbw_gb_s = static_cast<double>(series.bytes) / p50 / 1e3;
  series.busbw_gb_s = 1.75 * series.algbw_gb_s;
  series.cv = 0.1, series.stop = "precise", series.rank_p50_us = {p50, p50 * 0.9};
  return series;
}

TEST(Launches, Join) {
  std::vector<Series> launches;
  for (const double p50 : {100.0, 104.0, 96.0, 102.0, 98.0})
    launches.push_back(launch_of(p50));
  const Series all = joined(launches, Renewed::processes);
  EXPECT_EQ(all.samples, 500u);
  EXPECT_EQ(all.time_us.p50, 100);
  EXPECT_EQ(all.time_us.min, 96 * 0.9);
  EXPECT_EQ(all.time_us.max, 104 * 2);
  EXPECT_NEAR(all.time_us.mean, 100, 1e-9);
  EXPECT_NEAR(all.cv, std::sqrt(0.01 + 8e-4 + 0.01 * 8e-4), 1e-6);
  EXPECT_NEAR(all.busbw_gb_s / all.algbw_gb_s, 1.75, 1e-12);
  EXPECT_NEAR(all.algbw_gb_s, (1 << 20) / 100.0 / 1e3, 1e-9);
  ASSERT_EQ(all.launches.size(), 5u);
  EXPECT_EQ(all.launches[1].p50_us, 104);
  EXPECT_EQ(all.renewed, Renewed::processes);
  // Wider than any one launch says: 2.776 x 0.0316 / sqrt(5).
  EXPECT_NEAR(all.ci_us[1] / all.ci_us[0], std::exp(2 * 2.776 * 0.0316 / std::sqrt(5)), 1e-2);
  EXPECT_EQ(joined(std::span(launches).first(1), Renewed::processes), launches[0]);
  EXPECT_EQ(joined(std::vector{all, launches[0]}, Renewed::processes).launches.size(), 6u);
}

TEST(Launches, JoinToTheWorstOfThem) {
  std::vector<Series> launches(5, launch_of(100));
  for (auto& launch : launches)
    launch.threshold = Judgement{"time_us", 110, Status::pass, "median time 100"};
  EXPECT_EQ(joined(launches, Renewed::processes).threshold->status, Status::pass);
  launches[1].threshold->status = Status::unknown;
  EXPECT_EQ(joined(launches, Renewed::processes).threshold->status, Status::unknown);
  launches[3].threshold->status = Status::fail;
  const Series failed = joined(launches, Renewed::processes);
  EXPECT_EQ(failed.threshold->status, Status::fail);
  EXPECT_EQ(failed.threshold->why, "median time 100, in 1 of 5 launches");

  launches[2].wrong = 3, launches[2].mismatch = Mismatch{.rank = 1};
  EXPECT_EQ(joined(launches, Renewed::processes).wrong, 3u);
  EXPECT_EQ(joined(launches, Renewed::processes).mismatch->rank, 1);
  launches[2].wrong.reset();
  EXPECT_FALSE(joined(launches, Renewed::processes).wrong);

  launches[0].stop = "time";
  EXPECT_EQ(joined(launches, Renewed::processes).stop, "time");
  launches[0].warnings = {"drifting"};
  EXPECT_THAT(joined(launches, Renewed::processes).warnings,
              ::testing::ElementsAre("drifting (1 of 5 launches)"));

  launches[0].slowest = launches[1].slowest = Slowest{2, "b", 0.1};
  EXPECT_FALSE(joined(launches, Renewed::processes).slowest);  // two of five
  launches[4].slowest = Slowest{2, "b", 0.2};
  EXPECT_EQ(joined(launches, Renewed::processes).slowest, (Slowest{2, "b", 0.1}));
}

// ---- what the intervals are for ----

// A run of several launches: `own` is the spread of a launch's median by its samples, `between` what launches
// differ by beside.
Series measured(test::Noise& noise, double median, double between, int launches = 5, double own = 0.004) {
  std::vector<Series> list;
  for (int i = 0; i < launches; ++i) {
    const double p50 = median * std::exp(between * noise.normal() + own * noise.normal());
    list.push_back(series_of(p50, p50 * std::exp(-1.96 * own), p50 * std::exp(1.96 * own), 100, 1));
  }
  return joined(list, Renewed::processes);
}

struct Told {
  int regressions = 0, changes = 0;
};

// Pairs of runs with so many series each, the second `factor` as slow.
Told pairs_of_runs(int pairs, int series, double between, double factor, double tolerance, int launches = 5) {
  test::Noise noise(8);
  Told told;
  for (int pair = 0; pair < pairs; ++pair) {
    std::vector<Series> base, next;
    for (int i = 0; i < series; ++i) {
      base.push_back(measured(noise, 100, between, launches)),
          next.push_back(measured(noise, 100 * factor, between, launches));
      base.back().bytes = next.back().bytes = 1024u << (i % 20);
      base.back().ranks = next.back().ranks = 2 + i / 20;
    }
    const Comparison comparison = compare(report_of(base), report_of(next), {.tolerance = tolerance});
    told.regressions += comparison.decision == Decision::fail ? 1 : 0;
    told.changes += std::ranges::any_of(comparison.series, [](const auto& it) {
      return it.change == Change::worse || it.change == Change::better;
    });
  }
  return told;
}

// Two runs of the same thing: jointly 95 % allows 5 % of the comparisons a false FASTER or SLOWER, whatever
// launches differ by; 300 comparisons make 9 % a three-sigma event. A regression has to be beyond the
// tolerance as well: 1 pair in 30 at the most.
TEST(Compare, RunsOfTheSameThingAreNotToldApart) {
  for (const double between : {0.0, 0.01, 0.03, 0.1})
    for (const int series : {1, 18}) {
      const Told told = pairs_of_runs(300, series, between, 1, 0.02);
      EXPECT_LE(told.regressions, 10) << between << ", " << series << " series";
      EXPECT_LE(told.changes, 27) << between << ", " << series << " series";
      EXPECT_LE(pairs_of_runs(300, series, between, 1, 0.001).regressions, 20);
    }
}

// Intervals of one launch each, as comparisons once had them: the very same runs are told apart most times.
TEST(Compare, LaunchesThatDifferAreWhatOneLaunchCannotSee) {
  test::Noise noise(3);
  int apart = 0;
  for (int pair = 0; pair < 300; ++pair) {
    const Series base = measured(noise, 100, 0.03, 1), next = measured(noise, 100, 0.03, 1);
    apart += next.ci_us[0] > 1.02 * base.ci_us[1] ? 1 : 0;
    EXPECT_EQ(change_of(base, next).change, Change::undecided);
  }
  EXPECT_GE(apart, 40);
}

TEST(Compare, ASlowdownOfFivePerCentIsFound) {
  EXPECT_GE(pairs_of_runs(300, 1, 0.01, 1.05, 0.02).regressions, 270);
  EXPECT_GE(pairs_of_runs(300, 1, 0.02, 1.05, 0.02, 12).regressions, 240);
  // All of many series slower: what each alone has to pay for the others they make good together.
  EXPECT_GE(pairs_of_runs(100, 18, 0.007, 1.05, 0.02).regressions, 95);
}

}  // namespace
}  // namespace mlc
