// NVML replayed: recordings in tests/fixtures/gpu are judged by the code that judges live samples.
#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "bench/gpu/judge_telemetry.hpp"
#include "bench/gpu/sampler.hpp"

namespace mlc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TelemetryTrack recorded(const std::string& name) {
  std::ifstream file(std::string(MLC_SOURCE_DIR) + "/tests/fixtures/gpu/" + name + ".json");
  std::stringstream text;
  text << file.rdbuf();
  return tracks_from_json(text.str()).at(0);
}

Finding throttling(const TelemetryTrack& track) { return judge_throttling(track, 0.01).at(0); }

TEST(Telemetry, AHealthySoakAtThePowerCapPasses) {
  const auto track = recorded("healthy");
  EXPECT_EQ(throttling(track).status, Status::pass) << throttling(track).observed;
  ASSERT_EQ(judge_counters(track).size(), 1u);
  EXPECT_EQ(judge_counters(track)[0].status, Status::pass);
  const auto link = judge_link(track, {.pcie_generation = 5, .pcie_width = 16});
  ASSERT_EQ(link.size(), 1u);
  EXPECT_EQ(link[0].status, Status::pass) << link[0].observed;
}

TEST(Telemetry, TwoReasonsAtOnceAreBothNamed) {
  const auto finding = throttling(recorded("hot-and-braked"));
  EXPECT_EQ(finding.status, Status::fail);
  EXPECT_THAT(finding.observed, AllOf(HasSubstr("hardware thermal slowdown"), HasSubstr("power brake")));
  EXPECT_THAT(finding.remedy, AllOf(HasSubstr("fan"), HasSubstr("power supplies")));
}

TEST(Telemetry, AMomentOfHeatIsAWarning) {
  const auto finding = throttling(recorded("warm-moment"));
  EXPECT_EQ(finding.status, Status::warn) << finding.observed;
}

TEST(Telemetry, HeatBetweenSamplesCountsByTheDriversOwnClock) {
  const auto finding = throttling(recorded("heat-between-samples"));
  EXPECT_EQ(finding.status, Status::fail) << finding.observed;
  EXPECT_THAT(finding.observed, HasSubstr("thermal"));
}

// The driver's count is of both kinds of heat: what the samples show of one is not the other's.
TEST(Telemetry, HeatThatIsSoftwaresIsNotTheHardwares) {
  TelemetryTrack track{.subject = "GPU 0"};
  for (int i = 0; i < 101; ++i)
    track.samples.push_back({.time_s = i * 1.0,
                             .reasons = i < 50 ? throttle::sw_thermal : 0,
                             .thermal_violation_s = std::min(i, 50) * 1.0});
  const auto finding = judge_throttling(track, 0.01).at(0);
  EXPECT_THAT(finding.observed, HasSubstr("software thermal slowdown for 50.0 %"));
  EXPECT_EQ(finding.observed.find("hardware thermal"), std::string::npos) << finding.observed;
}

TEST(Telemetry, ErrorsThatGrewAndRowsThatWait) {
  const auto findings = judge_counters(recorded("errors-grew"));
  std::string all;
  for (const auto& finding : findings) {
    EXPECT_NE(finding.status, Status::pass);
    all += finding.observed + "; ";
  }
  EXPECT_THAT(all, AllOf(HasSubstr("1 new uncorrectable ECC"), HasSubstr("3 new PCIe replays"),
                         HasSubstr("a row waits")));
}

TEST(Telemetry, ACounterThatFellWasResetAndIsUnknown) {
  TelemetryTrack track;
  track.before.ecc_uncorrected = 5, track.after.ecc_uncorrected = 0;
  EXPECT_EQ(judge_counters(track).at(0).status, Status::unknown);
}

TEST(Telemetry, ACounterThatIsGoneAfterwardsIsUnknown) {
  TelemetryTrack track;
  track.before.ecc_uncorrected = 0;
  EXPECT_EQ(judge_counters(track).at(0).status, Status::unknown);
  track.after = track.before, track.before.remap_failed = 0;
  EXPECT_EQ(judge_counters(track).at(0).status, Status::unknown);
}

TEST(Telemetry, AMisnamedKeyIsNoValueThatTheDriverKeptBack) {
  const auto why = [](const std::string& from, const std::string& to) -> std::string {
    std::string text = to_json(std::vector{recorded("healthy")});
    text.replace(text.find(from), from.size(), to);
    try {
      (void)tracks_from_json(text);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return {};
  };
  EXPECT_THAT(why("\"remapped_uncorrectable\"", "\"remapped_uncorrected\""),
              HasSubstr("did you mean 'remapped_uncorrectable'?"));
  EXPECT_THAT(why("\"reasons\"", "\"reason\""), HasSubstr("did you mean 'reasons'?"));
  EXPECT_THAT(why("\"end_s\"", "\"ends_s\""), HasSubstr("did you mean 'end_s'?"));
}

TEST(Telemetry, NoReadingIsNoPass) {
  EXPECT_EQ(throttling({}).status, Status::unknown);
  EXPECT_EQ(judge_counters({}).at(0).status, Status::unknown);
  TelemetryTrack track;
  track.phases.push_back({"pcie", 0, 1});
  EXPECT_EQ(judge_link(track, {}).at(0).status, Status::unknown);
}

TEST(Telemetry, ALinkThatIsSlowUnderLoadFailsAndTheIdleOneIsNotLookedAt) {
  auto track = recorded("healthy");
  for (auto& sample : track.samples)
    if (sample.pcie_generation == 5) sample.pcie_generation = 4;
  EXPECT_EQ(judge_link(track, {.pcie_generation = 5, .pcie_width = 16}).at(0).status, Status::fail);
  EXPECT_EQ(judge_link(track, {}).at(0).status, Status::pass);  // nothing is asked
}

TEST(Telemetry, PowerComesFromTheEnergyCounter) {
  TelemetryTrack track;
  track.phases.push_back({"gemm", 0, 10});
  for (int i = 0; i <= 10; ++i)
    // The instant reading misses half of it.
    track.samples.push_back(
        {.time_s = static_cast<double>(i), .power_w = 350, .energy_j = 1000.0 + 700.0 * i});
  EXPECT_DOUBLE_EQ(*power_by_phase(track).at(0).mean_w, 700);
}

TEST(Telemetry, ATraceHasAnEventWhenAReasonBegins) {
  const auto trace = trace_of(recorded("hot-and-braked"), "gpu-a", 2);
  EXPECT_EQ(trace.gpu, 2);
  ASSERT_FALSE(trace.events.empty());
  EXPECT_EQ(trace.time_s.size(), trace.power_w.size());
}

TEST(Telemetry, ARecordingReadsBackTheSame) {
  const auto track = recorded("healthy");
  EXPECT_EQ(tracks_from_json(to_json(std::vector{track})).at(0), track);
  for (const char* bad : {"", "{}", "[1]", R"({"schema":"other","gpus":[]})",
                          R"({"schema":"mlc-bench/gpu-telemetry/v1","gpus":[{}]})"})
    EXPECT_THROW((void)tracks_from_json(bad), std::runtime_error) << bad;
}

TEST(GpuState, EachBadStateIsNamedAndNoneIsAPass) {
  const auto only = [](const GpuState& state, bool ecc = false) {
    const auto findings = judge_state("GPU 0", state, ecc);
    EXPECT_EQ(findings.size(), 1u);
    EXPECT_TRUE(findings.at(0).status == Status::fail || findings.at(0).status == Status::unknown);
    EXPECT_FALSE(findings.at(0).remedy.empty());
    return findings.at(0).observed;
  };
  EXPECT_THAT(only({.mig = true}), HasSubstr("MIG is on"));
  EXPECT_THAT(only({.ecc = false}), HasSubstr("ECC is off"));
  EXPECT_THAT(only({}, true), HasSubstr("does not say whether ECC"));
  EXPECT_THAT(only({.processes = {4711}, .memory_used = 30'000'000'000}),
              AllOf(HasSubstr("4711"), HasSubstr("30.0 GB")));
  EXPECT_THAT(only({.utilisation = 97}), HasSubstr("97 %"));
  EXPECT_TRUE(judge_state("GPU 0", {.mig = false, .ecc = true, .utilisation = 0}, true).empty());
}

// What the sampler makes of a source, on its own thread.
class Counting final : public Telemetry {
 public:
  std::string absent() const override { return ""; }
  std::string driver() const override { return ""; }
  GpuState state(const std::string&) override { return {.power_limit_w = 700}; }
  TelemetrySample sample(const std::string& uuid) override {
    return {.power_w = uuid == "a" ? 100.0 : 200.0};
  }
  TelemetryCounters counters(const std::string&) override { return {.pcie_replays = reads++}; }
  std::uint64_t reads = 0;
};

TEST(Sampler, SamplesEveryGpuAndReadsCountersBeforeAndAfter) {
  Counting telemetry;
  SteadyClock clock;
  Sampler sampler(telemetry, clock, {{.uuid = "a"}, {.uuid = "b"}}, 0.001);
  sampler.begin("hbm");
  while (!sampler.latest(1).power_w)
    std::this_thread::yield();
  sampler.end();
  const auto tracks = sampler.stop();
  ASSERT_EQ(tracks.size(), 2u);
  EXPECT_EQ(tracks[0].before.pcie_replays, 0u);
  EXPECT_EQ(tracks[1].after.pcie_replays, 3u);
  EXPECT_EQ(tracks[0].samples.front().power_w, 100);
  EXPECT_EQ(tracks[1].samples.front().power_w, 200);
  EXPECT_EQ(tracks[0].phases.at(0).test, "hbm");
  EXPECT_EQ(tracks[0].power_limit_w, 700);
  EXPECT_EQ(sampler.stop(), tracks);
}

}  // namespace
}  // namespace mlc
