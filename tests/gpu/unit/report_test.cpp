// GPU results in the record and on the screen, and the policy's `gpu:` section.
#include <gmock/gmock.h>

#include "reports/faces/gpu_text.hpp"
#include "reports/record/json.hpp"
#include "validators/policy/policy.hpp"

namespace mlc {
namespace {

using ::testing::HasSubstr;

Report burnt_in() {
  Report report;
  for (int gpu = 0; gpu < 3; ++gpu)
    report.figures.gpu_results.push_back({.node = "gpu-a",
                                          .gpu = gpu,
                                          .uuid = "GPU-" + std::to_string(gpu),
                                          .test = "hbm",
                                          .metric = "copy",
                                          .unit = "GB/s",
                                          .value = 3000.0 + gpu,
                                          .min = 2990,
                                          .max = 3010,
                                          .samples = 80,
                                          .bound = 2916,
                                          .share_of_limit = (3000.0 + gpu) / 3352,
                                          .status = gpu == 0 ? Status::fail : Status::pass});
  report.figures.matrices.push_back({.kind = "gpu_pair",
                                     .title = "t",
                                     .unit = "gb_s",
                                     .rows = {"GPU 0"},
                                     .columns = {"GPU 0"},
                                     .values = {std::nullopt},
                                     .culprits = {}});
  return report;
}

TEST(GpuReport, ReadsBackTheSame) {
  const Report report = burnt_in();
  EXPECT_EQ(report_from_json(to_json(report)), report);
}

TEST(GpuReport, TheTableHasMedianWorstAndBound) {
  const std::string text = gpu_results_text(burnt_in(), {});
  EXPECT_THAT(text, HasSubstr("3001 GB/s"));
  EXPECT_THAT(text, HasSubstr("3000 GB/s (GPU 0)"));
  EXPECT_THAT(text, HasSubstr("3002 GB/s (GPU 2)"));
  EXPECT_THAT(text, HasSubstr("✗ 2916 GB/s"));
  EXPECT_THAT(text, HasSubstr("89.5 %"));
  EXPECT_EQ(gpu_results_text({}, {}), "");
}

TEST(GpuReport, TuningIsKept) {
  Report report;
  report.series.push_back(
      {.collective = "allreduce", .dtype = "float", .ranks = 2, .samples = 1, .stop = "fixed"});
  report.series[0].tuning = Tuning{.algorithm = "Tree", .protocol = "LL128", .channels = 16, .wire_gb_s = 50};
  EXPECT_EQ(report_from_json(to_json(report)), report);
}

TEST(GpuExpectation, OfTheClusterHasTheKnownFigures) {
  const auto gpu = *load_policy("h100-4x200g").gpu;
  EXPECT_TRUE(gpu.ecc);
  EXPECT_DOUBLE_EQ(*gpu.hbm_copy, 0.87);
  EXPECT_DOUBLE_EQ(gpu.memory_tested, 0.97);
  EXPECT_DOUBLE_EQ(*gpu.gemm_bf16_tflop_s, 620);
  EXPECT_EQ(*gpu.pcie_generation, 5);
  EXPECT_FALSE(load_policy("local").gpu);
}

TEST(GpuExpectation, MistakesAreNamedWithTheirLine) {
  for (const auto& [text, words] : std::vector<std::pair<std::string, std::string>>{
           {"hbm: {copy_at_least: 190 %}", "must be a share"},
           {"hbm: {copy_at_least: 90 GB/s}", "must be a share"},
           {"hbm: {copy_at_lest: 90 %}", "did you mean 'copy_at_least'?"},
           {"pcie: {generation: 55}", "from 1 to 8"},
           {"throttled_at_most: never", "must be a share"},
           {"gemms: {}", "did you mean 'gemm'?"}}) {
    try {
      (void)read_policy("policy: p\ngpu:\n  " + text + "\n", "p.yaml");
      ADD_FAILURE() << "accepted: " << text;
    } catch (const PolicyError& error) {
      EXPECT_THAT(error.what(), HasSubstr(words));
      EXPECT_THAT(error.what(), ::testing::StartsWith("p.yaml:3: "));
    }
  }
}

}  // namespace
}  // namespace mlc
