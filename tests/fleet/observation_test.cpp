#include "bench/fleet/observation.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace mlc::fleet {
namespace {

using testing::HasSubstr;

const std::vector<Member> group{{"gpu-a", "boot-a"}, {"gpu-b", "boot-b"}, {"gpu-c", "boot-c"}};

RailResult rail(const std::string& node, const std::string& peer, int number, double gbit_s, Status status) {
  RailResult one;
  one.node = node, one.peer = peer, one.rail = one.peer_rail = number, one.gbit_s = gbit_s;
  one.target_gbit_s = 200, one.status = status, one.phase = "solo";
  if (status == Status::fail) one.why = "too slow";
  return one;
}

Report met() {
  Report report;
  report.environment.nodes = {{.name = "gpu-a", .boot_id = "boot-a"}, {.name = "gpu-b", .boot_id = "boot-b"}};
  report.figures.rails = {rail("gpu-a", "gpu-b", 0, 195, Status::pass),
                          rail("gpu-b", "gpu-a", 0, 195, Status::pass)};
  report.verdict.decision = Decision::pass;
  return report;
}

TEST(Observations, OfARailsReport) {
  auto report = met();
  report.figures.rails.push_back(rail("gpu-b", "gpu-a", 1, 90, Status::fail));
  report.verdict.decision = Decision::fail;
  const auto seen = observations_of(report, group, 0, 1);
  ASSERT_EQ(seen.size(), 4u);
  EXPECT_EQ(seen[0].seen, Seen::good);
  EXPECT_EQ(seen[2].from, 1);
  EXPECT_EQ(seen[2].to, 0);
  EXPECT_EQ(seen[2].rail, 1);
  EXPECT_EQ(seen[2].seen, Seen::bad);
  EXPECT_THAT(seen[2].what, HasSubstr("90.0 of 200 Gbit/s"));
  EXPECT_DOUBLE_EQ(*seen[2].share, 0.45);
  EXPECT_EQ(seen[3].rail, whole_node);
  EXPECT_EQ(seen[3].seen, Seen::good) << "the bad rail explains the verdict";
}

TEST(Observations, WhatTheRailsShareIsOfTheWholeMeeting) {
  auto report = met();
  report.findings = {
      {.check = "rdma.sum", .subject = "gpu-a to gpu-b", .status = Status::fail, .observed = "70 %"}};
  report.verdict.decision = Decision::fail;
  EXPECT_EQ(observations_of(report, group, 0, 1).back().seen, Seen::bad);
  report = met(), report.verdict.decision = Decision::inconclusive, report.verdict.because = {"too noisy"};
  EXPECT_EQ(observations_of(report, group, 0, 1).back().seen, Seen::unknown);
  report = met(), report.errors = {{.what = "rank 1 was killed", .where = {}, .phase = {}, .hint = {}}};
  EXPECT_EQ(observations_of(report, group, 0, 1).back().seen, Seen::unknown);
}

TEST(Observations, OfOtherMachinesAreNone) {
  const auto nothing = [](const Report& report, const std::vector<Member>& who, const char* why) {
    const auto seen = observations_of(report, who, 0, 1);
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_EQ(seen[0].seen, Seen::unknown);
    EXPECT_THAT(seen[0].what, HasSubstr(why));
  };
  auto report = met();
  report.environment.nodes[1].boot_id = "boot-z";
  nothing(report, group, "another machine or boot");
  report.environment.nodes.pop_back();
  nothing(report, group, "not of gpu-b");
  nothing(met(), {{"gpu-a", "boot-a"}, {"gpu-b", "boot-a"}}, "Pods of one machine");
  nothing(met(), {{"gpu-a", ""}, {"gpu-b", "boot-b"}}, "does not know its boot");
  EXPECT_EQ(observations_of(met(), group, 0, 2).size(), 1u);
}

TEST(Observations, ARateThatIsNoneIsNeverGood) {
  for (const double rate : {std::nan(""), -5.0, 0.0, static_cast<double>(INFINITY)}) {
    auto report = met();
    report.figures.rails[0].gbit_s = rate;
    EXPECT_EQ(observations_of(report, group, 0, 1)[0].seen, Seen::unknown) << rate;
  }
}

TEST(Observations, GoThereAndBackAsJson) {
  auto seen = observations_of(met(), group, 0, 1);
  seen.push_back(not_measured(1, 2, "no\nanswer"));
  EXPECT_EQ(observations_from_json(to_json(seen)), seen);
  for (const char* broken :
       {"{}", "[{}]", R"([{"from":0,"to":1,"rail":0,"peer_rail":0,"seen":"fine","what":""}])",
        R"([{"from":"a","to":1,"rail":0,"peer_rail":0,"seen":"good","what":""}])", "[1]"})
    EXPECT_THROW(observations_from_json(nlohmann::json::parse(broken)), std::runtime_error) << broken;
}

}  // namespace
}  // namespace mlc::fleet
