// The promise, over noise that is not tame. Seeds are fixed; at a rate of 1e-3 one of 45 nodes passes by
// chance in one cell of thirty, so that one is allowed. The full table: tests/stats/error_rates.cpp,
// docs/error_rates.md.
#include <gtest/gtest.h>

#include "tests/stats/simulation.hpp"

namespace mlc::simulation {
namespace {

bool named(const Noise& noise, const char* text) { return noise.name.find(text) != std::string::npos; }

TEST(ErrorRates, AdmissionKeepsItsPromise) {
  constexpr int nodes = 30;
  std::uint64_t seed = 100;
  for (const Noise& noise : all_noises()) {
    ++seed;
    if (named(noise, "after 100 s")) continue;  // after all of the observation: not promised
    const Rates bad = simulate(noise, admission(), -2, nodes, seed);
    EXPECT_LE(bad.passed, 1) << noise.name << ": bad nodes pass";
    if (noise.only_bad) continue;
    const Rates good = simulate(noise, admission(), 2, nodes / 3, seed);
    EXPECT_LE(good.failed, 2) << noise.name << ": good nodes fail";
  }
}

// Those that are clear are told so: a judge that never concludes keeps every promise.
TEST(ErrorRates, AdmissionConcludes) {
  for (const Noise& noise : all_noises()) {
    if (noise.only_bad || named(noise, "clock") || named(noise, "after")) continue;
    const Rates good = simulate(noise, admission(), 4, 20, 7);
    EXPECT_GE(good.passed, 15) << noise.name;
  }
}

TEST(ErrorRates, QuickKeepsItOverIndependentNoiseAtNoMorePriceThanBefore) {
  for (const Noise& noise : all_noises()) {
    if (noise.name != "independent") continue;
    EXPECT_LE(simulate(noise, quick(), -2, 2000, 11).passed, 8);
    const Rates good = simulate(noise, quick(), 2, 500, 12);
    EXPECT_LE(good.failed, 12);
    EXPECT_GE(good.passed, 475);
    // By the sign test alone 15 batches, in windows of five 17 (the statistics that the design stands on).
    EXPECT_LE(good.seconds, 1.5 * 17 * 0.022);
  }
}

}  // namespace
}  // namespace mlc::simulation
