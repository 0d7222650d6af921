#include "bench/burnin/fabric_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/fleet/held_campaign.hpp"

namespace mlc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const BurninStage rails{.name = "fabric-rails", .command = {"rdma", "write", "--connect", "{peer}"}};
const BurninStage reduce{.name = "fabric-allreduce", .command = {"allreduce", "--hosts", "{nodes}"}};

TEST(FabricWords, OfACampaign) {
  EXPECT_THAT(campaign_words({.name = "x", .command = {"fleet", "--engine", "verbs"}}, 2, 5, "fd00::1", 18521,
                             "/key"),
              ElementsAre("fleet", "--engine", "verbs", "--index=2", "--members=5", "--leader=fd00::1",
                          "--port=18521", "--key=/key", "--gather=30s"));
}

TEST(FabricWords, EachEndHasItsOwn) {
  EXPECT_THAT(*meeting_words(rails, true, "10.0.0.1", "10.0.0.2", 18522),
              ElementsAre("rdma", "write", "--connect", "10.0.0.2:18522"));
  EXPECT_THAT(*meeting_words(rails, false, "10.0.0.2", "10.0.0.1", 18522),
              ElementsAre("rdma", "write", "--listen=18522"));
  EXPECT_THAT(*meeting_words(rails, true, "fd00::1", "fd00::2", 18522),
              ElementsAre("rdma", "write", "--connect", "[fd00::2]:18522"));
  EXPECT_THAT(*meeting_words(reduce, true, "10.0.0.1", "10.0.0.2", 1),
              ElementsAre("allreduce", "--hosts", "10.0.0.1,10.0.0.2"));
  EXPECT_FALSE(meeting_words({.name = "x", .command = {"rdma", "write", "--loopback"}}, true, "a", "b", 1))
      << "it meets nobody";
}

const DecodeCampaign no_campaign = [](const BurninStage&, const fleet::CampaignRecord&) -> fleet::Campaign {
  throw std::runtime_error("no stage is a campaign");
};

Policy policy(int partners) {
  Policy made;
  made.name = "test";
  made.dispatch.partners = partners;
  return made;
}

FabricRecord group(std::size_t count) {
  FabricRecord record;
  for (std::size_t i = 0; i < count; ++i)
    record.members.push_back({"gpu-" + std::to_string(i), "boot-" + std::to_string(i), i > 2});
  return record;
}

// All meet all; `bad` is at fault at its rail 1.
FabricStageRecord all_met(std::size_t count, int bad) {
  FabricStageRecord held{.stage = "fabric-rails", .left_out = {}, .seen = {}, .campaign = {}, .trouble = {}};
  for (int a = 0; a < static_cast<int>(count); ++a)
    for (int b = 0; b < static_cast<int>(count); ++b)
      for (int rail = 0; a != b && rail < 2; ++rail) {
        const bool is_bad = rail == 1 && (a == bad || b == bad);
        held.seen.push_back({.from = a,
                             .to = b,
                             .rail = rail,
                             .peer_rail = rail,
                             .seen = is_bad ? fleet::Seen::bad : fleet::Seen::good,
                             .share = is_bad ? 0.4 : 0.97,
                             .what = "seen"});
      }
  return held;
}

Report of_node(int number) {
  Report report;
  report.environment.nodes.push_back(
      {.name = "gpu-" + std::to_string(number), .boot_id = "boot-" + std::to_string(number)});
  return report;
}

FabricEnd end_of(int self, std::size_t count, int bad) {
  FabricEnd end;
  end.record = group(count);
  end.record->stages.push_back(all_met(count, bad));
  for (int peer = 0; peer < static_cast<int>(count); ++peer) {
    if (peer == self) continue;
    Report met;
    met.findings = {{.check = "rdma.bandwidth",
                     .subject = "with gpu-" + std::to_string(peer),
                     .status = self == bad || peer == bad ? Status::fail : Status::pass}};
    end.meetings.push_back(
        {"fabric-rails", "gpu-" + std::to_string(peer), {"rdma", "write", "--connect", "x:1"}, met});
  }
  return end;
}

std::vector<Status> statuses(const Report& report, const std::string& check) {
  std::vector<Status> all;
  for (const auto& finding : report.findings)
    if (finding.check == check) all.push_back(finding.status);
  return all;
}

TEST(FabricReport, AnothersFaultIsToldAndNotCounted) {
  Report report = of_node(0);
  add_fabric_stages(report, policy(3), {.stages = {rails}}, end_of(0, 5, 2), no_campaign);
  ASSERT_EQ(report.stages.size(), 1u);
  EXPECT_EQ(report.stages[0].status, Status::pass) << report.stages[0].why;
  EXPECT_THAT(statuses(report, "rdma.bandwidth"), ElementsAre(Status::pass, Status::pass, Status::pass));
  EXPECT_THAT(statuses(report, "fabric.partner"), ElementsAre(Status::skip));
  EXPECT_TRUE(statuses(report, "fabric.node").empty());
}

TEST(FabricReport, OnesOwnFaultComesFirstWithItsEvidence) {
  Report report = of_node(2);
  add_fabric_stages(report, policy(3), {.stages = {rails}}, end_of(2, 5, 2), no_campaign);
  EXPECT_EQ(report.stages[0].status, Status::fail);
  EXPECT_EQ(report.findings.front().check, "fabric.node");
  EXPECT_EQ(report.findings.front().subject, "gpu-2 rail 1");
  EXPECT_THAT(report.findings.front().observed, HasSubstr("with gpu-0"));
  EXPECT_THAT(report.findings.front().remedy, HasSubstr("rail 1"));
}

TEST(FabricReport, WithoutARecordNothingIsConcluded) {
  Report report = of_node(0);
  add_fabric_stages(report, policy(3), {.stages = {rails, reduce}},
                    {.record = {}, .meetings = {}, .trouble = "the leader was lost"}, no_campaign);
  ASSERT_EQ(report.stages.size(), 2u);
  for (const auto& stage : report.stages) {
    EXPECT_EQ(stage.status, Status::unknown);
    EXPECT_EQ(stage.why, "the leader was lost");
  }
  Report stranger = of_node(9);
  add_fabric_stages(stranger, policy(3), {.stages = {rails}}, end_of(0, 5, 2), no_campaign);
  EXPECT_EQ(stranger.stages[0].status, Status::unknown);
}

// What the group says is not enough: a node passes on what it measured itself.
TEST(FabricReport, APassNeedsOnesOwnMeetings) {
  auto end = end_of(0, 4, -1);
  end.meetings.clear();
  Report report = of_node(0);
  add_fabric_stages(report, policy(3), {.stages = {rails}}, end, no_campaign);
  EXPECT_EQ(report.stages[0].status, Status::unknown);
}

TEST(FabricReport, WhoWasAtFaultBeforeIsMetNoMoreAndCountsAsMet) {
  auto end = end_of(0, 4, 3);
  auto later = all_met(3, -1);
  later.stage = reduce.name, later.left_out = {3};
  end.record->stages.push_back(later);
  for (int peer = 1; peer < 3; ++peer)
    end.meetings.push_back({reduce.name, "gpu-" + std::to_string(peer), {"allreduce"}, Report{}});
  Report report = of_node(0);
  add_fabric_stages(report, policy(3), {.stages = {rails, reduce}}, end, no_campaign);
  EXPECT_EQ(report.stages[1].status, Status::pass) << report.stages[1].why;
  Report faulty = of_node(3);
  add_fabric_stages(faulty, policy(3), {.stages = {rails, reduce}}, end, no_campaign);
  EXPECT_EQ(faulty.stages[0].status, Status::fail);
  EXPECT_EQ(faulty.stages[1].status, Status::skip);
}

TEST(FabricRecordText, GoesThereAndBack) {
  FabricRecord record = group(3);
  record.stages.push_back(all_met(3, 1));
  record.stages.back().left_out = {2}, record.trouble = "none";
  EXPECT_EQ(fabric_record_from(to_json(record)), record);
  for (
      const char* broken :
      {"{}", R"({"trouble": 1, "members": [], "stages": []})",
       R"({"trouble": "", "members": [{}], "stages": []})",
       R"({"trouble": "", "members": [], "stages": [{"stage": "x", "left_out": ["a"], "seen": [], "trouble": ""}]})"})
    EXPECT_THROW(fabric_record_from(nlohmann::json::parse(broken)), std::runtime_error) << broken;
}

TEST(LocalReport, MustBeOfThisBootPolicyAndProgram) {
  Report run = of_node(0), local = of_node(0);
  local.run.plan = "burnin", local.run.started = "2026-01-01T00:00:00Z",
  local.run.policy_digest = run.run.policy_digest = "sha256:1";
  EXPECT_EQ(not_of_this_run(local, run), "");
  const auto wrong = [&](const std::function<void(Report&)>& change, const char* why) {
    Report other = local;
    change(other);
    EXPECT_THAT(not_of_this_run(other, run), HasSubstr(why));
  };
  wrong([](Report& r) { r.environment.nodes[0].boot_id = "boot-9"; }, "another boot");
  wrong([](Report& r) { r.environment.nodes[0].name = "gpu-9"; }, "another node");
  wrong([](Report& r) { r.environment.nodes[0].machine_id = "m"; }, "another machine");
  wrong([](Report& r) { r.run.policy_digest = "sha256:2"; }, "another policy");
  wrong([](Report& r) { r.tool.version = "9"; }, "another mlc-bench");
  wrong([](Report& r) { r.run.plan = "health"; }, "no burn-in");
  wrong([](Report& r) { r.run.started = "soon"; }, "when it began");
  Report nowhere = run;
  nowhere.environment.nodes[0].boot_id.clear();
  EXPECT_THAT(not_of_this_run(local, nowhere), HasSubstr("another boot")) << "not known is not the same";
}

// A stage that is a campaign of gpu-0 to gpu-3.
class OfACampaign : public testing::Test {
 protected:
  const BurninStage stage{.name = "all", .command = {"fleet"}};
  FabricRecord record = group(4);
  std::function<fleet::Campaign(const BurninStage&, const fleet::CampaignRecord&)> decode =
      [](const BurninStage&, const fleet::CampaignRecord& held) {
        return fleet::replayed(
            held, {}, fleet::unknown_topology(static_cast<int>(held.header.nodes.size()), held.header.rails));
      };

  void hold(const fleet::RateOf& rate,
            std::vector<std::string> nodes = {"gpu-0", "gpu-1", "gpu-2", "gpu-3"}) {
    FabricStageRecord held{.stage = "all",
                           .left_out = {},
                           .seen = {},
                           .campaign = fleet::held_campaign(nodes, 2, 196, rate),
                           .trouble = {}};
    record.stages = {held};
  }
  Report of(int node) const {
    Report report;
    report.run.plan = "fabric";
    report.environment.nodes.push_back({.name = "gpu-" + std::to_string(node)});
    FabricEnd end{.record = fabric_record_from(to_json(record)), .meetings = {}, .trouble = {}};
    add_fabric_stages(report, policy(3), {.stages = {stage}}, end, decode);
    return report;
  }
  static std::vector<std::string> findings(const Report& report, Status status) {
    std::vector<std::string> found;
    for (const auto& one : report.findings)
      if (one.status == status) found.push_back(one.check + ": " + one.subject);
    return found;
  }
};

TEST_F(OfACampaign, AllAreClean) {
  hold([](const auto&, const auto&, int) { return .99; });
  for (int node = 0; node < 4; ++node) {
    const Report report = of(node);
    EXPECT_EQ(report.stages.at(0).status, Status::pass) << report.stages.at(0).why;
    EXPECT_THAT(findings(report, Status::pass),
                testing::Contains("fleet.node: node gpu-" + std::to_string(node)));
    ASSERT_TRUE(report.figures.fleet);
    EXPECT_EQ(report.figures.fleet->nodes.size(), 4u);
  }
}

// No NIC fills a link to the last bit; 4 % that all of them lack is not nothing, and no node's either.
TEST_F(OfACampaign, WhatAllLackOfTheTarget) {
  for (const auto& [rate, status] :
       {std::pair{.986, Status::pass}, {1.02, Status::pass}, {.96, Status::unknown}}) {
    hold([rate = rate](const auto&, const auto&, int) { return rate; });
    for (int node = 0; node < 4; ++node)
      EXPECT_EQ(of(node).stages.at(0).status, status) << rate << ": " << of(node).stages.at(0).why;
  }
}

TEST_F(OfACampaign, WhoIsAtFaultFailsAndNobodyElse) {
  hold([](const auto& sender, const auto&, int rail) { return sender == "gpu-2" && rail == 1 ? .5 : .99; });
  for (int node = 0; node < 4; ++node) {
    const Report report = of(node);
    EXPECT_EQ(report.stages.at(0).status, node == 2 ? Status::fail : Status::pass) << node;
    EXPECT_THAT(findings(report, node == 2 ? Status::fail : Status::skip),
                testing::Contains((node == 2 ? "fleet.location: " : "fleet.elsewhere: ") +
                                  std::string("node gpu-2, rail 1, sending")));
    EXPECT_EQ(findings(report, Status::fail).empty(), node != 2);
  }
}

// A leaf, or its uplinks: it is no node's.
TEST_F(OfACampaign, WhatAllShareTaintsNobody) {
  hold([](const auto&, const auto&, int rail) { return rail == 1 ? .6 : .99; });
  for (int node = 0; node < 4; ++node) {
    EXPECT_EQ(of(node).stages.at(0).status, Status::unknown) << of(node).stages.at(0).why;
    EXPECT_TRUE(findings(of(node), Status::fail).empty());
  }
}

// Two new nodes of one rack, and witnesses elsewhere: what the two share may be at fault.
TEST_F(OfACampaign, TwoThatAreAlikeAreNotToldFromWhatTheyShare) {
  for (const double rate : {.7, .0001}) {
    hold([&](const auto& sender, const auto& receiver, int rail) {
      const auto behind = [](const std::string& node) { return node == "gpu-0" || node == "gpu-1"; };
      return rail == 1 && (behind(sender) || behind(receiver)) ? rate : .99;
    });
    for (int node = 0; node < 4; ++node)
      EXPECT_TRUE(findings(of(node), Status::fail).empty()) << rate << " " << of(node).stages.at(0).why;
    EXPECT_EQ(of(0).stages.at(0).status, Status::unknown);
  }
}

// Beside each other all are well, and that is no pass.
TEST_F(OfACampaign, AFleetThatIsSlowAsAWholeIsNotCleared) {
  std::vector<std::string> nodes;
  for (int node = 0; node < 20; ++node)
    nodes.push_back("gpu-" + std::to_string(node));
  record = group(20);
  for (const double rate : {.5, .99}) {
    hold([&](const auto&, const auto&, int) { return rate; }, nodes);
    EXPECT_EQ(of(7).stages.at(0).status, rate > .9 ? Status::pass : Status::unknown)
        << of(7).stages.at(0).why;
  }
}

TEST_F(OfACampaign, WhoTookNoPartIsNotDecided) {
  hold([](const auto&, const auto&, int) { return .99; }, {"gpu-0", "gpu-1", "gpu-2"});
  EXPECT_EQ(of(3).stages.at(0).status, Status::unknown);
  EXPECT_THAT(of(3).stages.at(0).why, HasSubstr("does not know this node"));
  record.stages[0].left_out = {3};
  EXPECT_EQ(of(3).stages.at(0).status, Status::skip);
  record.stages[0].campaign.reset(), record.stages[0].trouble = "the campaign came to nothing";
  EXPECT_EQ(of(0).stages.at(0).status, Status::unknown);
  EXPECT_THAT(of(0).stages.at(0).why, HasSubstr("came to nothing"));
}

// What a record says is decoded, and what cannot be is no verdict.
TEST_F(OfACampaign, ARecordThatIsNoneDecidesNothing) {
  const auto whole = [&] { hold([](const auto&, const auto&, int) { return .99; }); };
  const auto undecided = [&](const std::string& why) {
    EXPECT_EQ(of(1).stages.at(0).status, Status::unknown);
    EXPECT_THAT(of(1).stages.at(0).why, HasSubstr(why));
  };
  whole(), std::swap(record.stages[0].campaign->rounds[0], record.stages[0].campaign->rounds[1]);
  undecided("round 2 in the place of 1");
  whole(), record.stages[0].campaign->rounds.push_back(record.stages[0].campaign->rounds.back());
  undecided("in the place of");
  whole(), record.stages[0].campaign->rounds.pop_back();
  undecided("not held to its end: 2 of at most 5 rounds");
  whole(), record.stages[0].campaign->header.topology = "another";
  undecided("another topology");
  whole(), record.stages[0].campaign->header.rails = 3;
  undecided("another topology");
  whole(), record.stages[0].campaign->header.nodes.resize(1);
  EXPECT_EQ(of(0).stages.at(0).status, Status::unknown);
  // Results of another campaign count for nothing: then three rounds have cleared nobody.
  whole(), record.stages[0].campaign->header.id = 7;
  undecided("not held to its end: 3 of at most 5 rounds");
}

}  // namespace
}  // namespace mlc
