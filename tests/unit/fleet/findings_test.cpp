#include "bench/fleet/localisation/findings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/fleet/worlds.hpp"

namespace mlc::fleet {

namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Findings, AnEndIsNamedWithItsRemedyAndATaint) {
  const Campaign campaign = campaign_with(calm(64), {fault_at({.kind = Kind::tx, .node = 7, .rail = 2}, .2)});
  std::vector<std::string> names;
  for (int i = 0; i < 64; ++i)
    names.push_back("gpu-" + std::to_string(i));
  const auto text = findings_text(campaign, names);
  EXPECT_THAT(text, HasSubstr("FAULTY     node gpu-7, rail 2, sending: 20"));
  EXPECT_THAT(text, HasSubstr("for     round "));
  EXPECT_THAT(text, HasSubstr("swap the cable"));
  EXPECT_THAT(text, HasSubstr("63 clean, 1 faulty"));
  EXPECT_TRUE(taints_a_node(campaign.judgement().located.at(0)));
  EXPECT_EQ(decision_of(campaign.judgement()), Decision::fail);
}

// Several agents of one machine measure the machine.
TEST(Findings, OfNoNodeAccuseNobody) {
  const Campaign campaign = campaign_with(calm(64), {fault_at({.kind = Kind::tx, .node = 7, .rail = 2}, .2)});
  const auto text = findings_text(campaign, {}, false);
  EXPECT_THAT(text, HasSubstr("UNRESOLVED node "));
  EXPECT_THAT(text, HasSubstr("63 clean, 1 unresolved, "));
  for (const char* accusation : {"FAULTY", "faulty", "swap the cable"})
    EXPECT_THAT(text, Not(HasSubstr(accusation)));
}

TEST(Findings, LeavesAndUplinksAreTheNetworksAndTaintNobody) {
  const Campaign campaign =
      campaign_with(calm(256), {fault_at({.kind = Kind::leaf, .leaf = 6}, .2),
                                fault_at({.kind = Kind::down, .leaf = 17, .uplink = 4}, .3)});
  const auto text = findings_text(campaign, {});
  EXPECT_THAT(text, HasSubstr("FAULTY     leaf leaf1, rail 2: 20"));
  EXPECT_THAT(text, HasSubstr("FAULTY     uplink 4 of leaf leaf4, rail 1, down"));
  EXPECT_THAT(text, HasSubstr("tell the network's people"));
  EXPECT_THAT(text, Not(HasSubstr("drain")));
  for (const auto& each : campaign.judgement().located)
    EXPECT_FALSE(taints_a_node(each));
  EXPECT_EQ(decision_of(campaign.judgement()), Decision::fail);
}

// Acceptance 6: exit 2.
TEST(Findings, TwoNodesWithoutACounterAreInconclusiveAndBothAreNamed) {
  const Campaign campaign =
      campaign_with(calm(2), {fault_at({.kind = Kind::end, .node = 1, .rail = 2}, .3)}, 1, Known::nothing);
  EXPECT_EQ(decision_of(campaign.judgement()), Decision::inconclusive);
  const auto text = findings_text(campaign, {});
  EXPECT_THAT(text, HasSubstr("node 0, rail 2"));
  EXPECT_THAT(text, HasSubstr("node 1, rail 2"));
}

TEST(Findings, HealthyIsAPassAndNothingMeasuredIsNone) {
  EXPECT_EQ(decision_of(campaign_with(calm(64), {}).judgement()), Decision::pass);
  Campaign nothing({}, regular_topology(64, 4, 32, 16));
  while (!nothing.ended())
    nothing.observe({});
  EXPECT_EQ(decision_of(nothing.judgement()), Decision::inconclusive);
}

TEST(Findings, NamesOfNodesDoNotReachTheTerminal) {
  const Campaign campaign =
      campaign_with(calm(2), {fault_at({.kind = Kind::node, .node = 1}, .3)}, 1, Known::nothing);
  const std::vector<std::string> names{"\x1b[2Jevil", "b\n"};
  EXPECT_THAT(findings_text(campaign, names), Not(HasSubstr("\x1b")));
}

}  // namespace

}  // namespace mlc::fleet
