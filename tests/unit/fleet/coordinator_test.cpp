// Campaigns of agents over real connections; what they measure is made up (world.hpp).
#include "bench/fleet/measurement/coordinator.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <atomic>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "bench/fleet/measurement/agent.hpp"
#include "tests/unit/fleet/worlds.hpp"

namespace mlc::fleet {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr double target = 200;
const std::string key(64, 'k');

// One world for all agents: both ends of a test see the same of it.
class SharedWorld {
 public:
  explicit SharedWorld(World& world) : world_(world) {}
  TestResult of(const TestTerms& terms) {
    const std::scoped_lock lock(mutex_);
    auto& known = by_token_[terms.token];
    if (known.flows.empty())
      known = world_.measure(1, ++times_[{terms.plan.first, terms.plan.second}], {terms.plan}).at(0);
    return known;
  }

 private:
  World& world_;
  std::mutex mutex_;
  std::map<std::string, TestResult> by_token_;
  std::map<std::pair<int, int>, int> times_;
};

FlowSide side_from(const FlowResult& flow) {
  FlowSide side{
      .error = flow.dead ? "no answer" : "", .gbit_s = flow.shares, .slow_windows = flow.slow_windows};
  double sum = 0;
  for (const double share : flow.shares)
    sum += share;
  for (double& each : side.gbit_s)
    each = sum > 0 ? each / sum * flow.rate * target : 0;
  side.gbit_s_error = flow.error * target;
  return side;
}

struct Behaviour {
  std::function<std::vector<RailSides>(std::vector<RailSides>)> says;  // instead of what it saw
  std::function<bool(int test)> dies_in;                               // its n-th test, from 1 on
  std::string program = "mlc-bench 1";
  std::string node;  // instead of its own name
  std::string busy;
  std::string problem;  // of rail 1
  int stops_in = 0;     // told to stop in its n-th test; 0: never
};

class MadeUpEngine final : public Engine {
 public:
  MadeUpEngine(SharedWorld& world, int index, int rails, Behaviour behaviour)
      : world_(world),
        index_(index),
        rails_(static_cast<std::size_t>(rails)),
        behaviour_(std::move(behaviour)) {
    rails_[1].problem = behaviour_.problem;
  }
  std::string_view name() const override { return "made up"; }
  const std::vector<EngineRail>& rails() const override { return rails_; }
  std::unique_ptr<TestEnd> begin(const TestTerms& terms) override;

  SharedWorld& world_;
  int index_;
  std::vector<EngineRail> rails_;
  Behaviour behaviour_;
  std::atomic<bool> dead{false}, stopped{false};
  int tests = 0;
};

struct MadeUpEnd final : TestEnd {
  MadeUpEnd(MadeUpEngine& of, TestTerms with) : engine(of), terms(std::move(with)) {}
  nlohmann::json offer() override { return {{"here", engine.index_}}; }
  void connect(const nlohmann::json&) override {}
  std::vector<RailSides> measure(const std::function<bool()>&) override {
    ++engine.tests;
    if (engine.tests == engine.behaviour_.stops_in) engine.stopped = true;
    if (engine.behaviour_.dies_in && engine.behaviour_.dies_in(engine.tests)) {
      engine.dead = true;
      throw LinkError("killed");  // as if its process were gone
    }
    const auto result = engine.world_.of(terms);
    const bool first = terms.plan.first == engine.index_;
    std::vector<RailSides> sides;
    for (std::size_t rail = 0; rail < engine.rails_.size(); ++rail) {
      const auto &forth = result.flows[2 * rail], &back = result.flows[2 * rail + 1];
      const auto &sent = first ? forth : back, &received = first ? back : forth;
      sides.push_back({.sent = side_from(sent),
                       .received = side_from(received),
                       .grew = first ? forth.at_sender : forth.at_receiver});
    }
    return engine.behaviour_.says ? engine.behaviour_.says(std::move(sides)) : sides;
  }
  MadeUpEngine& engine;
  TestTerms terms;
};

std::unique_ptr<TestEnd> MadeUpEngine::begin(const TestTerms& terms) {
  return std::make_unique<MadeUpEnd>(*this, terms);
}

struct Came {
  CampaignEnd end;
  std::vector<RoundRecord> records;
  std::optional<Campaign> campaign;
  std::map<int, AgentEnd> agents;
  std::string said;
  Standing of(int node) const { return campaign->judgement().nodes[static_cast<std::size_t>(node)]; }
};

struct Setting {
  int nodes = 16, leaf_size = 8;
  std::vector<Planted> planted;
  std::map<int, Behaviour> agents;
  std::set<int> absent;
  double gather_s = 20, deadline_s = 3, silence_s = 10;
  std::vector<RoundRecord> before;
  int stop_after_rounds = 0;  // 0: never
  double named_target = target;
  bool names_known = true;
};

std::string name_of(int node) { return "n" + std::to_string(node); }

Came held(const Setting& setting) {
  World world(calm(setting.nodes, setting.leaf_size), 7);
  for (const auto& fault : setting.planted)
    world.plant(fault);
  SharedWorld shared(world);
  auto listener = listen_on(0);
  sockaddr_in6 at{};
  socklen_t length = sizeof at;
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&at), &length);
  const int port = ntohs(at.sin6_port);
  Came came;
  std::mutex mutex;
  CampaignTerms terms{.key = key,
                      .program = "mlc-bench 1",
                      .gather_s = setting.gather_s,
                      .deadline_s = setting.deadline_s,
                      .silence_s = setting.silence_s,
                      .target_gbit_s = setting.named_target,
                      .plan = {.seed = 3, .id = 11, .rules = {}, .watched = {}}};
  for (int i = 0; i < setting.nodes; ++i)
    terms.nodes.push_back(setting.names_known ? name_of(i) : "");
  Coordinator coordinator(std::move(listener), terms,
                          {.pause =
                               [&](double) {
                                 return setting.stop_after_rounds > 0 &&
                                        static_cast<int>(came.records.size()) >= setting.stop_after_rounds;
                               },
                           .say = [&](const std::string& line) { came.said += line + "\n"; },
                           .live = [](const std::string&) {},
                           .topology = [&](const auto&, int) { return world.topology(); },
                           .record = [&](const RoundRecord& record) { came.records.push_back(record); }});
  std::vector<std::jthread> threads;
  for (int i = 0; i < setting.nodes; ++i) {
    if (setting.absent.contains(i)) continue;
    threads.emplace_back([&, i] {
      const auto found = setting.agents.find(i);
      const Behaviour behaviour = found == setting.agents.end() ? Behaviour{} : found->second;
      MadeUpEngine engine(shared, i, 4, behaviour);
      const AgentSelf self{.index = i,
                           .node = behaviour.node.empty() ? name_of(i) : behaviour.node,
                           .boot_id = "boot",
                           .program = behaviour.program,
                           .busy = behaviour.busy};
      auto end =
          take_part({.hosts = {"127.0.0.1"}, .port = port, .key = key, .come_within_s = 10}, self, engine,
                    {.pause = [&](double seconds) {
                      if (engine.stopped) return true;
                      std::this_thread::sleep_for(std::chrono::duration<double>(std::min(seconds, .05)));
                      return false;
                    }});
      const std::scoped_lock lock(mutex);
      came.agents[i] = end;
    });
  }
  came.end = coordinator.hold(setting.before);
  if (coordinator.campaign() != nullptr) came.campaign = *coordinator.campaign();
  coordinator.dismiss(ExitCode::pass);
  threads.clear();
  return came;
}

TEST(Coordinator, HealthyNodesAreCleanAndAllHearIt) {
  const auto came = held({});
  ASSERT_TRUE(came.campaign) << came.end.nothing;
  EXPECT_EQ(count_of(came.campaign->judgement(), Standing::clean), 16u);
  EXPECT_THAT(came.end.troubles, IsEmpty());
  EXPECT_EQ(came.records.size(), static_cast<std::size_t>(came.campaign->round()));
  for (const auto& [index, end] : came.agents)
    EXPECT_EQ(end.code, ExitCode::pass) << index << ": " << end.trouble;
}

TEST(Coordinator, ASlowEndIsNamed) {
  const Component sick{.kind = Kind::end, .node = 5, .rail = 2};
  const auto came = held({.planted = {fault_at(sick, .3)}});
  EXPECT_THAT(accused(came.campaign->judgement()), ElementsAre(sick));
}

TEST(Coordinator, WithoutATargetTheFastestFlowsAreIt) {
  const Component sick{.kind = Kind::tx, .node = 5, .rail = 2};
  const auto came = held({.planted = {fault_at(sick, .3)}, .named_target = 0});
  EXPECT_TRUE(came.end.target_inferred);
  EXPECT_NEAR(came.end.target_gbit_s, target, target * .03);
  EXPECT_THAT(accused(came.campaign->judgement()), ElementsAre(sick));
}

TEST(Coordinator, AKilledAgentIsLostAndItsPartnersAreNot) {
  const auto came = held({.agents = {{4, {.dies_in = [](int test) { return test == 2; }}}}});
  EXPECT_EQ(came.of(4), Standing::lost);
  EXPECT_EQ(count_of(came.campaign->judgement(), Standing::clean), 15u) << came.said;
  EXPECT_THAT(came.end.troubles, Contains(HasSubstr("n4 is gone")));
}

TEST(Coordinator, AHungAgentIsLostBySilence) {
  const auto came = held({.agents = {{4,
                                      {.says =
                                           [](auto sides) {
                                             std::this_thread::sleep_for(std::chrono::seconds(8));
                                             return sides;
                                           }}}},
                          .deadline_s = 2,
                          .silence_s = 3});
  EXPECT_EQ(came.of(4), Standing::lost);
  EXPECT_THAT(came.said, HasSubstr("n4 is gone: it has been silent"));
  EXPECT_EQ(count_of(came.campaign->judgement(), Standing::clean), 15u) << came.said;
}

TEST(Coordinator, AnAgentThatLiesIsContradictedAndNotCleared) {
  const auto came = held({.agents = {{9, {.says = [](auto sides) {
                                        for (auto& rail : sides)
                                          for (auto& each : rail.received.gbit_s)
                                            each *= .5;
                                        return sides;
                                      }}}}});
  EXPECT_NE(came.of(9), Standing::clean);
  EXPECT_NE(came.of(9), Standing::faulty) << "nobody knows who is right";
  EXPECT_THAT(came.end.troubles, Contains(testing::AllOf(HasSubstr("disagree"), HasSubstr("n9 received"))));
  EXPECT_THAT(accused(came.campaign->judgement()), IsEmpty());
}

TEST(Coordinator, NonsenseIsNoResult) {
  const auto came = held({.agents = {{9,
                                      {.says =
                                           [](auto sides) {
                                             for (auto& rail : sides)
                                               rail.received.gbit_s.fill(-1), rail.sent.gbit_s.fill(1e300);
                                             return sides;
                                           }}},
                                     {3, {.says = [](auto sides) {
                                        sides.pop_back();
                                        return sides;
                                      }}}}});
  EXPECT_NE(came.of(9), Standing::clean);
  EXPECT_NE(came.of(3), Standing::clean);
  EXPECT_THAT(accused(came.campaign->judgement()), IsEmpty());
  EXPECT_THAT(came.end.troubles, Contains(HasSubstr("another number of rails")));
}

TEST(Coordinator, AnotherProgramANameTwiceAndABusyNodeAreRefusedByName) {
  const auto came = held({.agents = {{2, {.program = "mlc-bench 2"}},
                                     {3, {.node = "n4"}},
                                     {6, {.busy = "another campaign is on it"}}},
                          .gather_s = 2});
  EXPECT_EQ(came.of(2), Standing::lost);
  EXPECT_EQ(came.of(6), Standing::lost);
  EXPECT_THAT(came.end.troubles, Contains(HasSubstr("n2 was refused: it runs another mlc-bench")));
  EXPECT_THAT(came.end.troubles, Contains(HasSubstr("n4 was refused: a node of that name is here already")));
  EXPECT_THAT(came.end.troubles, Contains(HasSubstr("n6 was refused: another campaign is on it")));
  EXPECT_THAT(came.agents.at(2).trouble, HasSubstr("refused this node: it runs another mlc-bench"));
}

TEST(Coordinator, WhoDoesNotComeIsLost) {
  const auto came = held({.absent = {3, 7}, .gather_s = 1});
  EXPECT_EQ(came.of(3), Standing::lost);
  EXPECT_EQ(came.of(7), Standing::lost);
  EXPECT_EQ(count_of(came.campaign->judgement(), Standing::clean), 14u);
  EXPECT_THAT(came.end.troubles, Contains("n3 did not come"));
}

// Pods that are restarted while others are awaited.
TEST(Coordinator, WhoIsNotKnownByNameAndDoesNotComeIsLostToo) {
  const auto came = held({.absent = {3}, .gather_s = 1, .names_known = false});
  EXPECT_EQ(came.end.nodes[3], "index 3");
  EXPECT_EQ(came.of(3), Standing::lost);
}

TEST(Coordinator, OneThatIsToldToStopIsLostAndNotAccused) {
  const auto came = held({.agents = {{6, {.stops_in = 1}}}});
  EXPECT_EQ(came.of(6), Standing::lost) << came.said;
  EXPECT_THAT(accused(came.campaign->judgement()), IsEmpty());
}

TEST(Coordinator, WhatAnAgentKnowsOfItsRailsIsTold) {
  const auto came = held({.agents = {{6, {.problem = "no interface eth9"}}}});
  EXPECT_THAT(came.end.troubles, Contains("n6, rail 1: no interface eth9"));
}

TEST(Coordinator, ResultsThatCannotBeAreTold) {
  const auto came = held({.named_target = target / 100});
  EXPECT_THAT(came.end.troubles,
              Contains(testing::AllOf(HasSubstr("round 1, n"), HasSubstr("times the target"))));
  EXPECT_EQ(count_of(came.campaign->judgement(), Standing::clean), 0u);
}

TEST(Coordinator, ARailThatIsDeadForEverybodyAccusesNobody) {
  std::map<int, Behaviour> all;
  for (int i = 0; i < 4; ++i)
    all[i] = {.says = [](auto sides) {
      sides[1].sent.error = sides[1].received.error = "no interface rail1";
      return sides;
    }};
  const auto came = held({.nodes = 4, .leaf_size = 4, .agents = all});
  EXPECT_THAT(accused(came.campaign->judgement()), IsEmpty());
  EXPECT_THAT(came.campaign->judgement().alarm, HasSubstr("rail 1 carries nothing, whoever meets whom"));
  EXPECT_THAT(came.end.troubles, Contains(HasSubstr("carried nothing: n")));
}

TEST(Coordinator, OneNodeIsNoCampaign) {
  const auto came = held({.nodes = 2, .leaf_size = 2, .absent = {1}, .gather_s = .5});
  EXPECT_FALSE(came.campaign);
  EXPECT_THAT(came.end.nothing, HasSubstr("needs two nodes, and 1 came"));
}

TEST(Coordinator, GoesOnWhereItWasStoppedAndFindsTheSame) {
  const Component sick{.kind = Kind::end, .node = 5, .rail = 2};
  Setting setting{.planted = {fault_at(sick, .3)}};
  setting.stop_after_rounds = 1;
  auto stopped = held(setting);
  EXPECT_TRUE(stopped.end.interrupted);
  ASSERT_EQ(stopped.records.size(), 1u);
  setting.stop_after_rounds = 0;
  for (const auto& record : stopped.records)
    setting.before.push_back(round_record_from(nlohmann::json::parse(to_json(record).dump())));
  EXPECT_EQ(setting.before, stopped.records);
  const auto resumed = held(setting);
  EXPECT_EQ(resumed.records.front().round, 2) << "rounds that were held are not held again";
  EXPECT_THAT(accused(resumed.campaign->judgement()), ElementsAre(sick));
}

}  // namespace
}  // namespace mlc::fleet
