#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reports/faces/csv.hpp"
#include "reports/faces/prometheus.hpp"
#include "reports/faces/terminal.hpp"
#include "reports/record/json.hpp"
#include "tests/unit/golden.hpp"

namespace mlc {
namespace {

Series series(std::uint64_t bytes, double us) {
  return {.collective = "allreduce",
          .dtype = "float",
          .redop = "sum",
          .bytes = bytes,
          .requested_bytes = bytes,
          .ranks = 16,
          .samples = 200,
          .time_us = {us * 0.9, us, us * 1.1, us * 1.2, us * 2},
          .ci_us = {us * 0.99, us * 1.01},
          .cv = 0.03,
          .algbw_gb_s = static_cast<double>(bytes) / us / 1e3,
          .busbw_gb_s = static_cast<double>(bytes) / us / 1e3 * 1.875,
          .wrong = 0,
          .stop = "precise"};
}

Report sample() {
  Report r;
  r.tool = {"0.1.0", {{"mpi", "Open MPI v4.1.4"}, {"nccl", "absent: nvcc was not found"}}};
  r.run = {"gpu-a-2026-01-02T03:04:05Z-7",
           {"mlc-bench", "allreduce"},
           "2026-01-02T03:04:05Z",
           12.5,
           16,
           2,
           "nccl",
           "h100-4x200g"};
  r.environment.nodes = {{.name = "gpu-a",
                          .kernel = "6.1.0",
                          .os = "Debian GNU/Linux 12",
                          .cpu = "some CPU",
                          .cpus = 96,
                          .versions = {{"nvidia", "580.1"}},
                          .gpus = {{0, "NVIDIA H100 80GB HBM3", "GPU-1", "0000:19:00.0", "CUDA 13.0"}},
                          .ranks = {0, 1}},
                         {.name = "gpu-b",
                          .kernel = "6.1.0",
                          .os = "Debian GNU/Linux 12",
                          .cpu = "some CPU",
                          .cpus = 96,
                          .versions = {},
                          .gpus = {},
                          .ranks = {2, 3}}};
  r.environment.variables = {{"NCCL_ALGO", "Ring"}};
  r.series = {series(1024, 28.1), series(1 << 20, 92.4), series(256 << 20, 1475.2),
              series(8ull << 30, 44'320)};
  r.series[2].threshold =
      Judgement{"busbw_gb_s", 320, Status::pass, "busbw 341.19 GB/s, 6.6 % over 320.00 GB/s"};
  r.series[3].threshold =
      Judgement{"busbw_gb_s", 370, Status::fail, "busbw 363.40 GB/s, 1.8 % under 370.00 GB/s"};
  r.series[2].observation = Observation{.timed_s = 0.295,
                                        .wall_s = 0.3,
                                        .wall_busbw_gb_s = 340.2,
                                        .longest_us = 1600,
                                        .correlation_s = 0.004,
                                        .block_s = 0.02,
                                        .blocks = 14,
                                        .blocks_reached = 14,
                                        .slices = 20,
                                        .slices_reached = 20,
                                        .end_share = 1,
                                        .drift = -0.002,
                                        .drift_z = -0.6};
  r.series[3].threshold->observe_s = 30, r.series[3].threshold->doubt = "stalls";
  r.series[3].launch = 2, r.series[3].of_launches = 3;
  r.series[2].slowest = Slowest{5, "gpu-a", 0.12};
  r.series[1].placement = "in_place";
  r.series[1].wrong = 3;
  r.series[1].mismatch = Mismatch{2, "gpu-b", 77, "1.5 (0x3fc00000)", "-1.5 (0xbfc00000)", "bit 31 flipped"};
  r.findings = {{"rdma.link-state", "mlx5_3/1", Status::fail, "1: DOWN", "4: ACTIVE",
                 "/sys/class/infiniband/mlx5_3/ports/1/state", "reseat the cable of rail 3"}};
  r.verdict = {Decision::fail, {"allreduce 8 GiB: busbw 363.40 GB/s, 1.8 % under 370.00 GB/s"}};
  return r;
}

TEST(Faces, AQuickPassSaysWhatItDoesNotPromise) {
  Report passed = sample();
  passed.series = {passed.series[2]}, passed.findings.clear(), passed.verdict = {Decision::pass, {}};
  EXPECT_NE(to_text(passed, {}).find("judged on 300.00 ms"), std::string::npos) << to_text(passed, {});
  passed.series[0].threshold->observe_s = 30;
  EXPECT_EQ(to_text(passed, {}).find("judged on"), std::string::npos);
}

TEST(Faces, LookAsTheyDid) {
  expect_golden("report.txt", to_text(sample(), {}));
  expect_golden("report-colour.txt", to_text(sample(), {true}));
  expect_golden("report.json", to_json(sample()));
  expect_golden("report.csv", to_csv(sample()));
  expect_golden("report.prom", to_prometheus(sample()));
  Report passed = sample();
  passed.series.resize(1), passed.findings.clear(), passed.verdict = {Decision::pass, {}},
                                                    passed.run.policy = "local";
  expect_golden("report-pass.txt", to_text(passed, {}));
  Report died = passed;
  died.errors = {{"rank 3 on gpu-b died (its connection closed without a word)", "rank 3 on gpu-b",
                  "allreduce 1 MiB float sum out-of-place: timed iterations", "look there"}};
  died.verdict = {Decision::inconclusive, {died.errors[0].what}};
  expect_golden("report-died.txt", to_text(died, {}));
}

TEST(Json, ComesBackTheSame) {
  Report r = sample();
  r.errors = {{"a", "b", "c", "d"}};
  r.series[0].wrong.reset();
  r.series[0].root = 3;
  r.verdict.unmeasured = {"allreduce 1 GiB"};
  EXPECT_EQ(report_from_json(to_json(r)), r);
}

TEST(Json, AnOlderReportSaysInItsSentencesWhatWasNotMeasured) {
  Report r = sample();
  r.verdict.because = {"not measured: allreduce 1 GiB", "something else"};
  EXPECT_THAT(report_from_json(to_json(r)).verdict.unmeasured, testing::ElementsAre("allreduce 1 GiB"));
}

TEST(Json, RefusesWhatIsNoReport) {
  const std::string good = to_json(sample());
  for (const std::string& text : {std::string(), std::string("{}"), std::string("[]"), std::string("null"),
                                  std::string("{\"schema\": 7}"), good.substr(0, good.size() / 2),
                                  std::string("\xff\xfe"), std::string(1000, '[')})
    EXPECT_THROW(report_from_json(text), ReportError) << text.substr(0, 40);
  // Every key of a wrong type is an error, never a crash or a default.
  for (const char* key : {"\"samples\": 200", "\"p50\": 28.1", "\"decision\": \"fail\"",
                          "\"status\": \"pass\"", "\"series\": [", "\"collective\": \"allreduce\""}) {
    std::string bad = good;
    const auto at = bad.find(key);
    ASSERT_NE(at, std::string::npos) << key;
    bad.replace(bad.find(':', at) + 2, 1, "{\"x\": 1}, \"y\": [");
    EXPECT_THROW(report_from_json(bad), ReportError) << key;
  }
}

// Whatever a node calls itself, no face may be broken by it.
TEST(Faces, HostileNamesStayText) {
  const std::string evil =
      std::string("\x1b[2J</script>\n\"},{\"a\":1}\r\n=cmd|'/c'!A1,\xff\xe2\x80\xae") + std::string(1, '\0');
  Report r = sample();
  r.series[2].slowest->node = evil, r.series[1].mismatch->node = evil, r.run.policy = evil, r.run.id = evil,
  r.findings[0].subject = evil;
  r.verdict.because = {evil};
  EXPECT_EQ(to_text(r, {}).find('\x1b'), std::string::npos);
  EXPECT_EQ(to_prometheus(r).find('\x1b'), std::string::npos);
  EXPECT_EQ(to_csv(r).find('\x1b'), std::string::npos);
  EXPECT_EQ(to_csv(r).find('\0'), std::string::npos);
  // Prometheus: every line is a comment or ends in a number.
  std::istringstream lines(to_prometheus(r));
  for (std::string line; std::getline(lines, line);)
    if (line[0] != '#') {
      EXPECT_THAT(line, testing::MatchesRegex("[a-z_]+(\\{.*\\})? [-+0-9.e]+"));
    }
  const Report back = report_from_json(to_json(r));
  EXPECT_EQ(back.series.size(), r.series.size());
  EXPECT_EQ(back.findings[0].subject.substr(0, 5), evil.substr(0, 5));
}

}  // namespace
}  // namespace mlc
