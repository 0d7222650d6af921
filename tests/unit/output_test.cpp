#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "bench/cli/node_facts.hpp"
#include "bench/cli/output_options.hpp"
#include "bench/cli/recorder.hpp"
#include "bench/engine/sweep.hpp"
#include "reports/record/json.hpp"
#include "validators/host/clock.hpp"
#include "validators/host/whole_file.hpp"

namespace mlc {
namespace {

class Output : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "mlc-output-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  static std::string content(const std::string& file) {
    std::ifstream stream(file);
    std::stringstream text;
    text << stream.rdbuf();
    return text.str();
  }
  OutputOptions to(const std::string& file) {
    OutputOptions options;
    options.output = file, options.quiet = true;
    return options;
  }
  std::string directory_;
};

TEST_F(Output, WhatCannotBeWrittenIsFoundBeforeMeasuring) {
  EXPECT_THROW(to(path("no/such/directory.json")).check(), UsageError);
  EXPECT_THROW(to(directory_).check(), UsageError);
  EXPECT_THROW(to("").check(), UsageError);
  to(path("fine.json")).check();
  EXPECT_FALSE(std::filesystem::exists(path("fine.json"))) << "trying leaves nothing behind";
}

TEST_F(Output, TheFormatIsAskedForOrTakenFromTheEnding) {
  EXPECT_EQ(to("x.json").chosen(), "json");
  EXPECT_EQ(to("x.csv").chosen(), "csv");
  EXPECT_EQ(to("x.prom").chosen(), "prometheus");
  EXPECT_EQ(to("-").chosen(), "text");
  auto options = to("x.csv");
  options.format = "json";
  EXPECT_EQ(options.chosen(), "json");
  options.format = "jsno";
  EXPECT_THROW(options.check(), UsageError);
}

TEST_F(Output, AFileIsReplacedWholeOrNotAtAll) {
  const std::string file = path("r.json");
  write_whole(file, "old");
  write_whole(file, "new and longer");
  EXPECT_EQ(content(file), "new and longer");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 1) << "no partial file stays";
  EXPECT_THROW(write_whole("/dev/full", "x"), std::runtime_error);
}

TEST_F(Output, TheReportOnDiskSaysItIsUnfinishedUntilItIs) {
  const std::string file = path("r.json");
  Report report;
  report.run.id = "x", report.run.started = timestamp();
  Recorder recorder(to(file), {}, report, directory_);
  recorder.add({.collective = "allreduce",
                .dtype = "float",
                .bytes = 4,
                .requested_bytes = 4,
                .ranks = 2,
                .samples = 1,
                .time_us = {.min = 1, .p50 = 1, .p95 = 1, .p99 = 1, .max = 1, .mean = 1},
                .algbw_gb_s = 0.004,
                .busbw_gb_s = 0.004,
                .wrong = 0,
                .stop = "fixed"});
  Report unfinished = report_from_json(content(file));
  EXPECT_EQ(unfinished.verdict.decision, Decision::inconclusive);
  ASSERT_EQ(unfinished.errors.size(), 1u);
  EXPECT_EQ(unfinished.series.size(), 1u);
  EXPECT_EQ(recorder.finish(), ExitCode::pass);
  const Report finished = report_from_json(content(file));
  EXPECT_EQ(finished.verdict.decision, Decision::pass);
  EXPECT_TRUE(finished.errors.empty());
  EXPECT_EQ(content(path("exit")), "0");
}

TEST_F(Output, AnEarlyEndKeepsWhatWasMeasured) {
  const std::string file = path("r.json");
  Report report;
  report.run.id = "x", report.run.started = timestamp();
  Recorder recorder(to(file), {}, report, "");
  recorder.add({.collective = "allreduce", .bytes = 4, .samples = 1, .wrong = 0, .stop = "fixed"});
  EXPECT_EQ(recorder.end({ExitCode::tool, {.what = "rank 1 died"}}), ExitCode::tool);
  const Report left = report_from_json(content(file));
  EXPECT_EQ(left.series.size(), 1u);
  EXPECT_EQ(left.errors.at(0).what, "rank 1 died");
  EXPECT_EQ(left.verdict.decision, Decision::inconclusive);
}

TEST(Variables, AreAnAllowListWithoutSecrets) {
  ::setenv("NCCL_ALGO", "Ring", 1);
  ::setenv("NCCL_SECRET_TOKEN", "hush", 1);
  ::setenv("AWS_ACCESS_KEY_ID", "hush", 1);
  const auto variables = telling_variables();
  EXPECT_EQ(variables.at("NCCL_ALGO"), "Ring");
  EXPECT_FALSE(variables.contains("NCCL_SECRET_TOKEN"));
  EXPECT_FALSE(variables.contains("AWS_ACCESS_KEY_ID"));
  ::unsetenv("NCCL_ALGO"), ::unsetenv("NCCL_SECRET_TOKEN"), ::unsetenv("AWS_ACCESS_KEY_ID");
}

}  // namespace
}  // namespace mlc
