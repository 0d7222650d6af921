// From results to judgements, findings and faces; from words to a plan.
#include <gmock/gmock.h>

#include "bench/cli/rdma_options.hpp"
#include "bench/rdma/judge.hpp"
#include "reports/faces/csv.hpp"
#include "reports/faces/prometheus.hpp"
#include "reports/faces/rails_text.hpp"
#include "reports/faces/terminal.hpp"
#include "reports/record/json.hpp"
#include "validators/deciding/decide.hpp"

namespace mlc::rdma {

namespace {

using testing::AllOf;
using testing::HasSubstr;

NodeFacts node(const std::string& name) {
  NodeFacts facts{name, "1", "host", {}};
  for (int i = 0; i < 4; ++i)
    facts.rails.push_back({.index = i,
                           .device = "mlx5_" + std::to_string(i),
                           .netdev = "eth" + std::to_string(i),
                           .gid_index = 3,
                           .rate_gbit_s = 200});
  return facts;
}

LaneResult lane(int rail, double gbit_s, bool together = false) {
  LaneResult result{
      .from = 0, .to = 1, .rail = rail, .peer_rail = rail, .bytes = 65536, .together = together, .mtu = 4096};
  result.report.median_gbit_s = result.report.mean_gbit_s = gbit_s,
  result.report.ci_gbit_s = {gbit_s - 1, gbit_s + 1};
  result.report.windows = 60, result.report.answer = 1, result.wrong = 0;
  return result;
}

struct Example {
  Plan plan;
  Bounds bounds{.siblings_at_least = 0.9, .together_at_least = 0.95};
  std::vector<NodeFacts> ends{node("gpu-a"), node("gpu-b")};
  Meet meet{.round = 0, .ends = {0, 1}, .lanes = all_alike(), .results = {}, .problem = {}};
  static std::vector<RailPair> all_alike() { return {{0, 0}, {1, 1}, {2, 2}, {3, 3}}; }
  Example() {
    for (bool together : {false, true})
      for (int rail = 0; rail < 4; ++rail)
        meet.results.push_back(lane(rail, together ? 194 : 195, together));
  }
  Report report() const {
    Report made;
    made.run.policy = "test";
    write_to_report(made, {meet}, plan, bounds, ends);
    made.verdict = decide(made, Policy{}, {});
    return made;
  }
};

const Finding* finding(const Report& report, const std::string& subject,
                       const std::string& check = "rdma.bandwidth") {
  for (const auto& each : report.findings)
    if (each.check == check && each.subject.find(subject) != std::string::npos) return &each;
  return nullptr;
}

TEST(Judge, HealthyRailsPass) {
  const Report report = Example().report();
  EXPECT_EQ(report.verdict.decision, Decision::pass);
  EXPECT_EQ(report.figures.rails.size(), 8u);
  ASSERT_EQ(report.figures.rail_sums.size(), 1u);
  EXPECT_DOUBLE_EQ(*report.figures.rail_sums[0].together_gbit_s, 776);
  EXPECT_DOUBLE_EQ(*report.figures.rail_sums[0].solo_gbit_s, 780);
  EXPECT_NEAR(report.figures.rails[0].ceiling_gbit_s, 196.07, 0.01);
}

TEST(Judge, ASlowRailIsNamedAndExplainedByItsCounters) {
  Example example;
  example.meet.results[2].report.median_gbit_s = 20;
  example.meet.results[2].to_counters = {{"hw_counters/out_of_sequence", 812}};
  const Report report = example.report();
  EXPECT_EQ(report.verdict.decision, Decision::fail);
  const Finding* found = finding(report, "rail 2");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->status, Status::fail);
  EXPECT_THAT(found->subject,
              AllOf(HasSubstr("gpu-a"), HasSubstr("mlx5_2"), HasSubstr("eth2"), HasSubstr("gpu-b")));
  EXPECT_THAT(found->observed, HasSubstr("of the median of its sibling rails"));
  EXPECT_THAT(found->remedy,
              AllOf(HasSubstr("counted on gpu-b: out_of_sequence +812"), HasSubstr("lost on the way here")));
  EXPECT_EQ(finding(report, "rail 1")->status, Status::pass);
}

TEST(Judge, ASlowRailWithoutCountersPointsAtShapersAndLinks) {
  Example example;
  example.meet.results[1].report.median_gbit_s = 20;
  EXPECT_THAT(finding(example.report(), "rail 1")->remedy,
              AllOf(HasSubstr("max_rate"), HasSubstr("pci.link")));
}

TEST(Judge, TheQuestionsAnswerDecides) {
  Example example;
  example.plan.question = RailQuestion{.gbit_s = 186.27};
  EXPECT_EQ(example.report().verdict.decision, Decision::pass);
  example.meet.results[0].report.answer = 0;
  EXPECT_EQ(example.report().verdict.decision, Decision::inconclusive) << "not decided is no pass";
  example.meet.results[0].report.doubt = "too_short", example.meet.results[0].report.observed_s = 2;
  EXPECT_THAT(finding(example.report(), "rail 0")->observed, HasSubstr("observed for 2.00 s"));
  example.meet.results[0].report.answer = -1, example.meet.results[0].report.doubt = "stalls";
  EXPECT_THAT(finding(example.report(), "rail 0")->observed, HasSubstr("it stalls"));
  example.meet.results[0].report.doubt.clear();
  EXPECT_EQ(example.report().verdict.decision, Decision::fail);
  example.bounds.from_bytes = 1 << 20;
  EXPECT_EQ(example.report().verdict.decision, Decision::pass)
      << "messages smaller than the policy judges are shown only";
}

TEST(Judge, WrongDataFailsWhateverTheRate) {
  Example example;
  example.meet.results[3].wrong = 5, example.meet.results[3].first_wrong = "message slot 0";
  const Report report = example.report();
  EXPECT_EQ(report.verdict.decision, Decision::fail);
  EXPECT_THAT(finding(report, "rail 3")->observed, HasSubstr("5 wrong elements"));
  EXPECT_THAT(finding(report, "rail 3")->remedy, HasSubstr("data was changed"));
}

TEST(Judge, AnErrorFailsTheRailAndLeavesItOutOfTheSum) {
  Example example;
  example.meet.results[5].error = "write: transport retry counter exceeded on rail 1",
  example.meet.results[5].remedy = "ip route get";
  const Report report = example.report();
  EXPECT_EQ(finding(report, "rail 1")->status, Status::fail);
  EXPECT_EQ(finding(report, "rail 1")->remedy, "ip route get");
  EXPECT_FALSE(report.figures.rail_sums[0].together_gbit_s);
  EXPECT_NE(report.verdict.decision, Decision::pass);
}

TEST(Judge, ASharedBottleneckShowsInTheSum) {
  Example example;
  for (int i = 4; i < 8; ++i)
    example.meet.results[static_cast<std::size_t>(i)].report.median_gbit_s = 100;
  const Report report = example.report();
  const Finding* sum = finding(report, "gpu-a", "rdma.sum");
  ASSERT_TRUE(sum);
  EXPECT_EQ(sum->status, Status::fail);
  EXPECT_THAT(sum->observed, HasSubstr("51.3 %"));
  EXPECT_THAT(sum->remedy, HasSubstr("PCIe"));
}

// A health run of the policies that ship: all rails at once and nothing else, under a policy that compares
// both.
TEST(Judge, RailsThatAreMeasuredTogetherAloneAreComparedWithNothing) {
  Example example;
  example.plan.solo = false;
  example.meet.results.erase(example.meet.results.begin(), example.meet.results.begin() + 4);
  const Report report = example.report();
  EXPECT_FALSE(finding(report, "gpu-a", "rdma.sum"));
  ASSERT_EQ(report.figures.rail_sums.size(), 1u);
  EXPECT_EQ(report.figures.rail_sums[0].status, Status::unknown);
  EXPECT_TRUE(
      std::ranges::none_of(report.findings, [](const Finding& f) { return f.status == Status::unknown; }));
}

TEST(Judge, GoodOnlyAtTheSecondTryIsIntermittent) {
  Example example;
  example.meet.results[0].attempts = 2;
  const Report report = example.report();
  EXPECT_EQ(finding(report, "rail 0")->status, Status::warn);
  EXPECT_THAT(finding(report, "rail 0")->observed, HasSubstr("intermittent"));
  EXPECT_EQ(report.verdict.decision, Decision::pass);
}

TEST(Judge, NothingAskedAndNothingMetIsNoPass) {
  Report report;
  write_to_report(report, {}, {}, {}, {});
  EXPECT_EQ(decide(report, Policy{}, {}).decision, Decision::inconclusive);
}

TEST(Judge, ManyPairsMakeANodeMatrix) {
  Example example;
  std::vector<NodeFacts> ends{node("a"), node("b"), node("c")};
  Meet second = example.meet;
  second.ends = {0, 2};
  for (auto& result : second.results)
    result.to = 2;
  Report report;
  write_to_report(report, {example.meet, second}, example.plan, example.bounds, ends);
  ASSERT_EQ(report.figures.matrices.size(), 1u);
  EXPECT_EQ(report.figures.matrices[0].kind, "node_pair");
  EXPECT_DOUBLE_EQ(*report.figures.matrices[0].values[1], 776);
  EXPECT_FALSE(report.figures.matrices[0].values[0]);
  EXPECT_EQ(report.figures.meetings.size(), 2u);
}

TEST(Faces, EveryoneShowsTheRails) {
  Example example;
  example.meet.results[2].report.median_gbit_s = 20;
  example.meet.results[2].from_counters = {{"hw_counters/packet_seq_err", 7}};
  const Report report = example.report();
  const std::string text = to_text(report, {});
  for (const char* word : {"gpu-a → gpu-b", "64 KiB", "mlx5_2 eth2", "20.00", "194.00", "10.2 %", "0.10", "✗",
                           "packet_seq_err +7", "together", "FAIL", "next  "})
    EXPECT_THAT(text, HasSubstr(word));
  EXPECT_THAT(to_csv(report), AllOf(HasSubstr("gpu-a,2,mlx5_2,eth2,gpu-b,2,write,solo,0,65536,20,"),
                                    HasSubstr("sender hw_counters/packet_seq_err +7")));
  EXPECT_THAT(
      to_prometheus(report),
      HasSubstr("mlc_bench_rail_bytes_per_second{node=\"gpu-a\",rail=\"2\",device=\"mlx5_2\",peer=\"gpu-b\","
                "peer_rail=\"2\",operation=\"write, "
                "together\",memory=\"host\",size_bytes=\"65536\",run=\"unknown\"} 2.425e+10"));
  const Report back = report_from_json(to_json(report));
  EXPECT_EQ(back.figures, report.figures);
}

TEST(Faces, LatencyShowsPercentiles) {
  Example example;
  example.plan.mode = Mode::latency;
  example.meet.results.resize(1);
  example.meet.results[0].report.latency_us = {2.5, 3, 4, 9, 2, 10};
  example.meet.results[0].report.edges_us = {2, 4, 16}, example.meet.results[0].report.counts = {3, 1};
  example.bounds.latency_us = 2;
  const Report report = example.report();
  EXPECT_EQ(report.verdict.decision, Decision::fail);
  EXPECT_THAT(to_text(report, {}), AllOf(HasSubstr("p99.9"), HasSubstr("9.00 µs")));
  EXPECT_EQ(report.figures.histograms.size(), 1u);
  EXPECT_THAT(to_prometheus(report), HasSubstr("statistic=\"p999\",run=\"unknown\"} 9e-06"));
}

TEST(Policy, HasAnRdmaSection) {
  const Policy h100 = load_policy("h100-4x200g");
  ASSERT_TRUE(h100.rdma);
  RdmaOptions options;
  options.policy = "h100-4x200g";
  const auto request = rdma_request_of(options);
  ASSERT_TRUE(request.plan.question);
  EXPECT_NEAR(request.plan.question->gbit_s, 0.95 * 196.07, 0.01);
  EXPECT_EQ(request.bounds.rail_gbit_s, 200);
  EXPECT_TRUE(load_policy("local").rdma->share_of_siblings);
}

TEST(Policy, MistakesInItAreNamed) {
  const std::string head = "policy: x\n", target = "target: {rails: 4, rail_gbit_s: 200}\n";
  for (const auto& [text, says] : std::vector<std::pair<std::string, std::string>>{
           {head + "rdma: {share_of_ceiling: 0.9}\n", "needs the policy's 'target'"},
           {head + target + "rdma: {share_of_ceiling: 0.9, rail_gbit_s: 1}\n", "not both"},
           {head + target + "rdma: {share_of_ceiling: 95}\n", "share_of_ceiling"},
           {head + target + "rdma: {share_of_sibling: 0.9}\n", "share_of_siblings"},
           {head + target + "rdma: {from_size: big}\n", "is no size"},
           {head + target + "rdma: {retests: 99}\n", "retests"}}) {
    try {
      (void)read_policy(text, "p.yaml");
      ADD_FAILURE() << text;
    } catch (const PolicyError& error) {
      EXPECT_THAT(error.what(), HasSubstr(says));
    }
  }
}

TEST(Options, ThePlanTravelsToTheListener) {
  RdmaOptions options;
  options.operation = "read", options.sizes.sizes = "4K,1M", options.policy = "h100-4x200g",
  options.rails = "0,2";
  const auto request = rdma_request_of(options);
  const auto [plan, bounds] = plan_from_text(plan_text(request.plan, request.bounds));
  EXPECT_EQ(plan, request.plan);
  EXPECT_EQ(bounds, request.bounds);
  EXPECT_TRUE(plan.chosen);
  for (const char* text : {"", "{}", "[]", "{\"plan\":{},\"bounds\":{}}"})
    EXPECT_THROW((void)plan_from_text(text), std::runtime_error) << text;
}

TEST(Options, PeersAreHostsAndPorts) {
  const auto peer = [](const char* text) {
    RdmaOptions options;
    options.connect = text;
    const auto request = rdma_request_of(options);
    return request.connect_host + " " + std::to_string(request.connect_port);
  };
  EXPECT_EQ(peer("gpu-b"), "gpu-b 18516");
  EXPECT_EQ(peer("10.0.0.2:99"), "10.0.0.2 99");
  EXPECT_EQ(peer("[fd00::2]:99"), "fd00::2 99");
  EXPECT_EQ(peer("fd00::2"), "fd00::2 18516");
}

}  // namespace

}  // namespace mlc::rdma
