#include "validators/host/clock_watch.hpp"

#include <gtest/gtest.h>

namespace mlc {
namespace {

struct SetClock final : Clock {
  double at = 100;
  double now() override { return at; }
};

// Both move a step, many times, each by its own pace.
ClockFault after(double step, double other_step, int looks = 100) {
  SetClock clock, other;
  ClockWatch watch(clock, &other);
  for (int i = 0; i < looks; ++i) {
    clock.at += step, other.at += other_step;
    if (const auto fault = watch.look(); fault != ClockFault::none) return fault;
  }
  return ClockFault::none;
}

TEST(ClockWatch, TwoThatAgreeAreBelieved) {
  EXPECT_EQ(after(0.1, 0.1), ClockFault::none);
  EXPECT_EQ(after(1e-6, 1e-6, 100'000), ClockFault::none);
  EXPECT_EQ(after(3600, 3600), ClockFault::none);
  EXPECT_EQ(after(1, 1.083), ClockFault::none) << "chrony slews as much";
}

TEST(ClockWatch, OneThatStandsStillIsFoundByTheOther) {
  EXPECT_EQ(after(0, 0.1), ClockFault::stands_still);
  EXPECT_EQ(after(0, 0.1, 5), ClockFault::none) << "half a second may be a coarse clock";
}

TEST(ClockWatch, BothThatStandStillAreFoundByTheCount) {
  EXPECT_EQ(after(0, 0, 2000), ClockFault::stands_still);
  SetClock clock;
  ClockWatch alone(clock);
  ClockFault fault = ClockFault::none;
  for (int i = 0; i < ClockWatch::most_still; ++i)
    fault = alone.look();
  EXPECT_EQ(fault, ClockFault::stands_still);
}

TEST(ClockWatch, OneThatStopsAfterAWhileIsFound) {
  SetClock clock, other;
  ClockWatch watch(clock, &other);
  for (int i = 0; i < 50; ++i) {
    clock.at += 1, other.at += 1;
    ASSERT_EQ(watch.look(), ClockFault::none);
  }
  other.at += 1.5;
  EXPECT_EQ(watch.look(), ClockFault::stands_still);
  clock.at += 10;
  EXPECT_EQ(watch.look(), ClockFault::stands_still) << "what was found stays";
}

TEST(ClockWatch, OneThatCreepsRacesOrJumpsDisagrees) {
  EXPECT_EQ(after(0.1, 1), ClockFault::disagrees);
  EXPECT_EQ(after(1, 0.1), ClockFault::disagrees);
  SetClock clock, other;
  ClockWatch watch(clock, &other);
  clock.at += 3600;
  EXPECT_EQ(watch.look(), ClockFault::disagrees);
}

TEST(ClockWatch, OneThatGoesBackIsFound) {
  SetClock clock;
  ClockWatch watch(clock);
  clock.at -= 1e-6;
  EXPECT_EQ(watch.look(), ClockFault::goes_backwards);
}

TEST(ClockWatch, WorkTakesTime) {
  SetClock clock;
  ClockWatch watch(clock);
  EXPECT_EQ(watch.timed(1e-6), ClockFault::none);
  EXPECT_EQ(watch.timed(0), ClockFault::stands_still);
}

TEST(ClockWatch, TheMachinesOwnAgree) {
  SteadyClock clock;
  RawClock other;
  const double before = other.now();
  ClockWatch watch(clock, &other);
  for (int i = 0; i < 10'000; ++i)
    ASSERT_EQ(watch.look(), ClockFault::none);
  EXPECT_GT(other.now(), before);
}

}  // namespace
}  // namespace mlc
