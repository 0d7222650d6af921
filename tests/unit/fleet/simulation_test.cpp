// The simulator's own parts: that its world does what is planted, its intervals are those of the books, and
// the baselines are as good as they should be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "bench/fleet/localisation/baselines.hpp"
#include "bench/fleet/localisation/figures.hpp"
#include "bench/fleet/localisation/intervals.hpp"
#include "bench/fleet/localisation/planted_text.hpp"
#include "tests/unit/fleet/worlds.hpp"

namespace mlc::fleet {

namespace {

using ::testing::HasSubstr;

TEST(Intervals, AreClopperAndPearsons) {
  // Tables of Clopper and Pearson: 0 of 10, 1 of 10, 5 of 10, 10 of 10.
  EXPECT_NEAR(share_interval(0, 10)[1], .3085, 1e-4);
  EXPECT_NEAR(share_interval(1, 10)[0], .0025, 1e-4);
  EXPECT_NEAR(share_interval(1, 10)[1], .4450, 1e-4);
  EXPECT_NEAR(share_interval(5, 10)[0], .1871, 1e-4);
  EXPECT_NEAR(share_interval(5, 10)[1], .8129, 1e-4);
  EXPECT_NEAR(share_interval(10, 10)[0], .6915, 1e-4);
  EXPECT_EQ(share_interval(10, 10)[1], 1);
  EXPECT_NEAR(share_interval(0, 230'000)[1], 3.689 / 230'000, 1e-8);
  EXPECT_NEAR(share_interval(200'000, 230'000)[0], .8682, 2e-4);
  EXPECT_EQ(share_interval(0, 0)[1], 1);
  EXPECT_NEAR(mean_interval(30, 100, 10)[1] - 3, 1.96 * std::sqrt((100 - 90.) / 9 / 10), 1e-12);
}

FlowResult only_flow(World& world, const PlannedTest& test, std::size_t flow) {
  return world.measure(1, 1, {test}).at(0).flows.at(flow);
}

TEST(World, ShowsWhatIsPlantedWhereItIsPlanted) {
  const PlannedTest inside{.first = 1, .second = 2}, across{.first = 1, .second = 40, .base = 3, .step = 1};
  World slow(calm(64), 1);
  slow.plant(fault_at({.kind = Kind::tx, .node = 1, .rail = 2}, .3));
  EXPECT_NEAR(only_flow(slow, inside, 4).rate, .7, .02);
  EXPECT_NEAR(only_flow(slow, inside, 5).rate, 1, .03);
  EXPECT_NEAR(only_flow(slow, inside, 2).rate, 1, .03);

  World dead(calm(64), 1);
  dead.plant(fault_at({.kind = Kind::end, .node = 2, .rail = 0}, 1));
  EXPECT_TRUE(only_flow(dead, inside, 0).dead);
  EXPECT_TRUE(only_flow(dead, inside, 1).dead);
  EXPECT_FALSE(only_flow(dead, inside, 2).dead);

  World uplink(calm(64), 1);
  uplink.plant(fault_at({.kind = Kind::up, .leaf = 0, .uplink = 4}, .4));
  const FlowResult crosses = only_flow(uplink, across, 0);
  EXPECT_NEAR(crosses.rate, 1, .03) << "its siblings fill the line";
  EXPECT_NEAR(crosses.shares[1], .6, .05);
  EXPECT_NEAR(crosses.shares[0], 1 + .4 / 3, .05);
  EXPECT_NEAR(only_flow(uplink, across, 1).shares[1], 1, .05) << "the other way is well";
  EXPECT_NEAR(only_flow(uplink, inside, 0).shares[1], 1, .05) << "inside a leaf none is crossed";
}

TEST(World, ComingAndGoingShowsInWindows) {
  World world(calm(64), 1);
  Planted fault = fault_at({.kind = Kind::end, .node = 1, .rail = 0}, .5);
  fault.intermittent = true, fault.duty = .25, fault.period_s = .2;
  world.plant(fault);
  const FlowResult seen = only_flow(world, {.first = 1, .second = 2}, 0);
  EXPECT_NEAR(seen.rate, 1 - .5 * .25, .04);
  EXPECT_GE(seen.slow_windows, 8);
  EXPECT_LE(seen.slow_windows, 24);
}

TEST(World, TheMixIsTheUsualOne) {
  WorldKnobs knobs;
  knobs.nodes = 16'384, knobs.faults = .1;
  World world(knobs, 7);
  world.plant_faults();
  std::array<double, 7> share{};
  double intermittent = 0;
  const double count = static_cast<double>(world.planted().size());
  EXPECT_EQ(count, 1638);
  for (const auto& fault : world.planted())
    share[static_cast<std::size_t>(fault.component.kind)] += 1 / count,
        intermittent += fault.intermittent ? 1 / count : 0;
  EXPECT_NEAR(share[0], .15, .04);
  EXPECT_NEAR(share[1], .36, .05);
  EXPECT_NEAR(share[2] + share[3], .24, .05);
  EXPECT_NEAR(share[4], .075, .025);
  EXPECT_NEAR(share[5] + share[6], .175, .04);
  EXPECT_NEAR(intermittent, .15, .04);
}

std::string why_not(const char* text) {
  try {
    planted_from(text, calm(64));
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(PlantedText, SaysWhatIsPlanted) {
  const Planted loss = planted_from("node=7,rail=2,loss=10%,direction=tx,counted=yes", calm(64));
  EXPECT_EQ(loss.component, (Component{.kind = Kind::tx, .node = 7, .rail = 2}));
  EXPECT_EQ(loss.severity, .1);
  EXPECT_TRUE(loss.counted);
  EXPECT_EQ(planted_from("node=7,slow=0.2", calm(64)).component, (Component{.kind = Kind::node, .node = 7}));
  EXPECT_EQ(planted_from("node=7,rail=0,dead=yes", calm(64)).severity, 1);
  EXPECT_EQ(planted_from("leaf=1,rail=3,slow=5%", calm(64)).component,
            (Component{.kind = Kind::leaf, .leaf = 7}));
  EXPECT_EQ(planted_from("leaf=1,rail=3,uplink=15,direction=down,slow=5%", calm(64)).component,
            (Component{.kind = Kind::down, .leaf = 7, .uplink = 15}));
  EXPECT_TRUE(planted_from("node=1,rail=1,slow=9%,duty=.3,period=20", calm(64)).intermittent);
}

TEST(PlantedText, MistakesAreNamed) {
  const std::pair<const char*, const char*> mistakes[] = {
      {"", "names no fault"},
      {"node=7", "one of slow, loss and dead"},
      {"node=7,slow=10%,dead=yes", "one of slow, loss and dead"},
      {"node=64,slow=10%", "from 0 to 63"},
      {"node=7,rail=4,slow=10%", "from 0 to 3"},
      {"node=7,node=8,slow=10%", "given twice"},
      {"node=7,nod=8,slow=10%", "'nod' is none of"},
      {"node=7,slow=110%", "slow must be a share"},
      {"node=7,slow=nan", "slow must be a share"},
      {"node=7,slow=-1", "slow must be a share"},
      {"node=7,leaf=1,slow=10%", "in one node or in one leaf"},
      {"slow=10%", "in one node or in one leaf"},
      {"node=7,direction=tx,slow=10%", "of one rail"},
      {"node=7,rail=1,direction=up,slow=10%", "tx, rx or both"},
      {"leaf=1,slow=10%", "rail is missing"},
      {"leaf=1,rail=1,direction=up,slow=10%", "of an uplink"},
      {"leaf=1,rail=1,uplink=3,slow=10%", "up or down"},
      {"leaf=1,rail=1,uplink=16,direction=up,slow=10%", "from 0 to 15"},
      {"leaf=1,rail=1,slow=10%,counted=yes", "of a node's ports"},
      {"node=7,slow=10%,counted=no", "can only be yes"},
      {"node=7,slow=10%,duty=.5", "go together"},
  };
  for (const auto& [text, says] : mistakes)
    EXPECT_THAT(why_not(text), HasSubstr(says)) << text;
}

// Where there is one bad node and nothing else, everybody finds it; a slow leaf they charge to its nodes.
TEST(Baselines, FindABadNodeAndAccuseALeafsNodes) {
  for (const auto& baseline : baselines()) {
    TrialPlan plan;
    plan.knobs = calm(64);
    plan.planted = {fault_at({.kind = Kind::node, .node = 9}, .3)};
    const Score one = baseline.trial(plan, 3);
    EXPECT_EQ(one.missed, 0u) << baseline.name;
    EXPECT_EQ(one.accused, 0u) << baseline.name;
    plan.planted = {fault_at({.kind = Kind::leaf, .leaf = 6}, .3)};
    const Score leaf = baseline.trial(plan, 3);
    if (baseline.name == "matchings")
      EXPECT_EQ(leaf.accused, 0u);
    else
      EXPECT_GE(leaf.accused, 16u) << baseline.name;
  }
}

TEST(Figures, AddUpInAnyOrderAndSaySo) {
  TrialPlan plan;
  plan.knobs.nodes = 64;
  Score forth, back;
  for (std::uint64_t i = 0; i < 10; ++i)
    forth.add(trial(plan, i)), back.add(trial(plan, 9 - i));
  const auto json = figures_json({{"fleet", "", forth}}, plan, 5);
  EXPECT_EQ(json, figures_json({{"fleet", "", back}}, plan, 5));
  EXPECT_EQ(json["methods"][0]["trials"], 10);
  EXPECT_EQ(json["methods"][0]["accused"]["of"], 640);
  const auto text = figures_text({{"fleet", "", forth}}, plan, 5);
  EXPECT_THAT(text, HasSubstr("10 trials, seed 5"));
  EXPECT_THAT(text, HasSubstr("accused               0 of 640 (up to 0.57 %)"));
  EXPECT_THAT(figures_markdown({{"fleet", "", forth}}, plan, 5), HasSubstr("| 64, 2 % | fleet | 10, 5 |"));
}

}  // namespace

}  // namespace mlc::fleet
