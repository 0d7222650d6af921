// The one binding of NVML over fake_nvml.cpp: what a check reads and what the burn-in samples.
#include <gmock/gmock.h>

#include "bench/gpu/telemetry.hpp"
#include "validators/host/live_sources.hpp"

namespace mlc {
namespace {

TEST(Nvml, EveryFieldIsReadAndALostGpuIsCounted) {
  const Answer answer = ask_nvml();
  ASSERT_EQ(answer.error, 0) << answer.why;
  const auto expected = nlohmann::json::parse(R"({"driver": "570.1", "gpus": [
    {"index": 0, "name": "H100", "uuid": "GPU-0", "pci": "0000:1b:00.0", "ecc_enabled": 1, "ecc_corrected": 7, "ecc_uncorrected": 2,
     "remapped_correctable": 3, "remapped_uncorrectable": 4, "remap_pending": 1, "remap_failed": 0, "throttle_reasons": 1099511627780,
     "pcie_generation": 4, "pcie_generation_max": 5, "pcie_width": 8, "pcie_width_max": 16, "pcie_replays": 9, "persistence": 1,
     "sm_clock_max": 1980, "memory_clock_max": 2619, "sm_clock_application": 1900, "temperature": 55, "nvlinks_total": 4,
     "nvlinks_active": 3, "nvlink_errors": 40, "fabric_state": 3, "fabric_status": 0},
    {"index": 1, "error": "GPU is lost"}]})");
  EXPECT_EQ(answer.value, expected) << answer.value.dump(2);
}

TEST(Nvml, TheBurnInSamplesTheSameGpu) {
  const auto telemetry = nvml_telemetry();
  EXPECT_EQ(telemetry->absent(), "");
  EXPECT_EQ(telemetry->driver(), "570.1");
  const GpuState state = telemetry->state("GPU-0");
  EXPECT_EQ(state.mig, std::nullopt);
  EXPECT_EQ(state.ecc, true);
  EXPECT_THAT(state.processes, testing::ElementsAre(4242));
  EXPECT_EQ(state.memory_used, 1 << 20);
  EXPECT_EQ(state.utilisation, 12);
  EXPECT_EQ(state.power_limit_w, 700.0);
  EXPECT_EQ(state.slowdown_temperature_c, 89.0);
  TelemetrySample expected;
  expected.power_w = 350.5, expected.energy_j = 5.0, expected.sm_clock_mhz = 1755,
  expected.memory_clock_mhz = 2600;
  expected.temperature_c = 55, expected.reasons = 1ull << 40 | 4, expected.pcie_generation = 4,
  expected.pcie_width = 8;
  expected.thermal_violation_s = 2.5;
  EXPECT_EQ(telemetry->sample("GPU-0"), expected);
  EXPECT_EQ(telemetry->counters("GPU-0").nvlink_errors, 40u);
  EXPECT_EQ(telemetry->sample("GPU-9"), TelemetrySample{});
  EXPECT_EQ(telemetry->counters("GPU-9"), TelemetryCounters{});
}

}  // namespace
}  // namespace mlc
