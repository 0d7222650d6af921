// The whole burn-in on fake GPUs: a healthy node passes, and each planted fault is found, named and localised
// by the code that judges real ones.
#include <gmock/gmock.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "bench/engine/sweep.hpp"
#include "bench/gpu/stress/all.hpp"
#include "tests/gpu/unit/fake_gpu.hpp"
#include "validators/policy/policy.hpp"

namespace mlc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class QuietTelemetry final : public Telemetry {
 public:
  std::string absent() const override { return ""; }
  std::string driver() const override { return "580.0"; }
  GpuState state(const std::string&) override { return {}; }
  TelemetrySample sample(const std::string&) override {
    sampler = std::this_thread::get_id();
    TelemetrySample sample{
        .power_w = 650, .temperature_c = 61, .reasons = 0, .pcie_generation = 5, .pcie_width = 16};
    if (!clocks.empty()) sample.sm_clock_mhz = clocks[next++ % clocks.size()];  // GPUs are asked in turns
    return sample;
  }
  TelemetryCounters counters(const std::string&) override {
    return {.ecc_uncorrected = 0, .remap_pending = 0};
  }
  std::vector<double> clocks;
  std::atomic<std::size_t> next = 0;
  std::atomic<std::thread::id> sampler;  // the thread that asks
};

// Each look at it takes half a second, so that the tests' budgets end; but for the sampler's, of which there
// are the more the longer this machine takes.
class SteppingClock final : public Clock {
 public:
  explicit SteppingClock(const QuietTelemetry& telemetry) : telemetry_(telemetry) {}
  double now() override {
    const std::lock_guard lock(mutex_);
    return telemetry_.sampler.load() == std::this_thread::get_id() ? time_ : time_ += 0.5;
  }

 private:
  const QuietTelemetry& telemetry_;
  std::mutex mutex_;
  double time_ = 0;
};

class GpuBurnin : public ::testing::Test {
 protected:
  // `faults[i]` is GPU i's; the others are healthy.
  void run(int gpus, std::map<int, FakeFaults> faults, std::vector<std::string> names = {},
           std::optional<Fault> planted = std::nullopt) {
    std::vector<std::unique_ptr<GpuDevice>> devices;
    for (int i = 0; i < gpus; ++i)
      devices.push_back(std::make_unique<FakeGpu>(i, faults[i]));
    std::vector<const GpuTest*> tests;
    for (const auto* test : all_gpu_tests())
      if (test->name != "pulse" && (names.empty() || std::ranges::count(names, test->name) > 0))
        tests.push_back(test);
    run(std::move(devices), tests, planted);
  }

  void run(std::vector<std::unique_ptr<GpuDevice>> devices, const std::vector<const GpuTest*>& tests,
           std::optional<Fault> planted = std::nullopt) {
    SteppingClock clock(telemetry_);
    Pulse pulse;
    Burnin burnin(std::move(devices), expected_, {.node = "gpu-a", .fault = planted, .sample_s = sample_s_},
                  telemetry_, clock, pulse, {});
    burnin.run(tests, quick_);
    outcome_ = burnin.outcome();
  }

  std::vector<Finding> with(Status status) const {
    std::vector<Finding> found;
    for (const auto& finding : outcome_.findings)
      if (finding.status == status) found.push_back(finding);
    return found;
  }
  std::string all_bad() const {
    std::string text;
    for (const auto& finding : outcome_.findings)
      if (finding.status != Status::pass && finding.status != Status::skip)
        text += finding.check + " " + finding.subject + ": " + finding.observed + "\n";
    return text;
  }

  const GpuExpectation expected_ = *load_policy("h100-4x200g").gpu;
  BurninOutcome outcome_;
  QuietTelemetry telemetry_;
  bool quick_ = true;
  double sample_s_ = 0.1;
};

TEST_F(GpuBurnin, AHealthyNodePassesEveryTest) {
  run(8, {});
  EXPECT_EQ(all_bad(), "");
  EXPECT_GT(with(Status::pass).size(), 100u);
  EXPECT_EQ(outcome_.matrices.size(), 3u);
  for (const auto& finding : outcome_.findings)
    EXPECT_FALSE(finding.source.empty()) << finding.check;
  // hbm.copy of GPU 0: 3.05 of 3.352 TB/s
  const auto copy =
      std::ranges::find_if(outcome_.results, [](const GpuResult& r) { return r.metric == "copy"; });
  ASSERT_NE(copy, outcome_.results.end());
  EXPECT_NEAR(copy->value, 3050, 1);
  EXPECT_NEAR(*copy->share_of_limit, 3050 / 3352.3, 1e-3);
}

TEST_F(GpuBurnin, OneSlowGpuOfEightIsTheOnlyOneBlamed) {
  run(8, {{5, {.speed = 0.95}}}, {"hbm", "gemm", "pcie"});
  const auto failed = with(Status::fail);
  ASSERT_FALSE(failed.empty());
  for (const auto& finding : failed)
    EXPECT_THAT(finding.subject, HasSubstr("GPU 5")) << finding.check;
  EXPECT_THAT(all_bad(), AllOf(HasSubstr("burnin.hbm-copy"), HasSubstr("burnin.gemm-bf16"),
                               HasSubstr("burnin.pcie-to-device")));
}

TEST_F(GpuBurnin, EightSlowGpusFailByTheFloorThoughTheyAgree) {
  std::map<int, FakeFaults> all;
  for (int i = 0; i < 8; ++i)
    all[i] = {.speed = 0.8};
  run(8, all, {"hbm"});
  int copies = 0;
  for (const auto& finding : with(Status::fail))
    copies += finding.check == "burnin.hbm-copy";
  EXPECT_EQ(copies, 8);
}

TEST_F(GpuBurnin, AStuckBitIsLocalisedToWordBitAndCell) {
  run(2, {{1, {.stuck_word = 70'001}}}, {"memory"});
  const auto failed = with(Status::fail);
  ASSERT_EQ(failed.size(), 1u) << all_bad();
  EXPECT_EQ(failed[0].check, "burnin.memory");
  EXPECT_THAT(failed[0].subject, HasSubstr("GPU 1"));
  EXPECT_THAT(failed[0].observed, AllOf(HasSubstr("word 70001"), HasSubstr("bit 3"), HasSubstr("stuck at 1"),
                                        HasSubstr("the memory cell")));
}

TEST_F(GpuBurnin, APlantedFlipIsFoundAtItsExactPlace) {
  run(1, {}, {"memory"}, Fault{.kind = Fault::Kind::memory, .place = 0, .index = 12'345, .bit = 42});
  const auto failed = with(Status::fail);
  ASSERT_EQ(failed.size(), 1u) << all_bad();
  EXPECT_THAT(failed[0].observed,
              AllOf(HasSubstr("1 wrong word"), HasSubstr("(word 12345)"), HasSubstr("bit 42")));
}

TEST_F(GpuBurnin, ADeadAddressLineIsNamed) {
  run(1, {{0, {.dead_address_bit = 9}}}, {"memory"});
  ASSERT_FALSE(with(Status::fail).empty());
  EXPECT_THAT(with(Status::fail)[0].observed, HasSubstr("wrong words"));
}

TEST_F(GpuBurnin, AFaultOnTheWayIsNotTheCell) {
  run(1, {{0, {.stuck_word = 9, .path_fault = true}}}, {"memory"});
  ASSERT_FALSE(with(Status::fail).empty());
  EXPECT_THAT(with(Status::fail)[0].observed, HasSubstr("not the cell"));
}

TEST_F(GpuBurnin, TooLittleMemoryIsNoPass) {
  run(1, {{0, {.memory_given = 0.75}}}, {"memory"});
  ASSERT_EQ(with(Status::unknown).size(), 1u) << all_bad();
  EXPECT_EQ(with(Status::unknown)[0].check, "burnin.memory-tested");
  EXPECT_THAT(with(Status::unknown)[0].remedy, HasSubstr("nvidia-smi"));
}

TEST_F(GpuBurnin, ABadSmIsNamedOnItsGpu) {
  run(4, {{2, {.bad_sm = 7}}}, {"sm"});
  const auto failed = with(Status::fail);
  ASSERT_EQ(failed.size(), tile::engine_names.size()) << all_bad();
  for (const auto& finding : failed) {
    EXPECT_THAT(finding.subject, HasSubstr("GPU 2"));
    EXPECT_THAT(finding.observed, HasSubstr("SM 7 ("));
  }
}

TEST_F(GpuBurnin, TilesThatAreWrongOnEverySmBlameTheirInputs) {
  run(2, {{1, {.bad_input = true}}}, {"sm"});
  const auto failed = with(Status::fail);
  ASSERT_EQ(failed.size(), 1u) << all_bad();
  EXPECT_THAT(failed[0].subject, AllOf(HasSubstr("GPU 1"), HasSubstr("matrix product")));
  EXPECT_THAT(failed[0].observed, HasSubstr("64 tiles are wrong whichever SM computes them"));
  EXPECT_THAT(failed[0].remedy, HasSubstr("memory"));
}

TEST_F(GpuBurnin, ACellThatLeaksIsFoundByTheFullFormAlone) {
  quick_ = true;
  run(2, {{1, {.leaky_word = 777}}}, {"memory"});
  EXPECT_EQ(all_bad(), "");
  quick_ = false;
  run(2, {{1, {.leaky_word = 777}}}, {"memory"});
  const auto failed = with(Status::fail);
  ASSERT_EQ(failed.size(), 1u) << all_bad();
  EXPECT_THAT(failed[0].subject, HasSubstr("GPU 1"));
  EXPECT_THAT(failed[0].observed, AllOf(HasSubstr("word 777"), HasSubstr("bit 5")));
}

TEST_F(GpuBurnin, BothTheWordsAndTheirInverseAreHeld) {
  quick_ = false;
  for (int rest : {3, 13}) {
    run(2, {{1, {.flipped_word = 777, .flips_in_rest = rest}}}, {"memory"});
    const auto failed = with(Status::fail);
    ASSERT_EQ(failed.size(), 1u) << "in rest " << rest << ": " << all_bad();
    EXPECT_THAT(failed[0].observed, AllOf(HasSubstr("word 777"), HasSubstr("bit 5")));
  }
}

TEST_F(GpuBurnin, AColdGpuIsWarmedUpBeforeItIsMeasured) {
  run(1, {{0, {.cold_passes = 300}}}, {"hbm"});
  EXPECT_EQ(all_bad(), "");
  // One that does not come to its rate is measured all the same.
  run(1, {{0, {.cold_passes = 5'000}}}, {"hbm"});
  EXPECT_NE(all_bad(), "");
}

TEST_F(GpuBurnin, AGpuThatComputesLessAtTheSameClockIsAtFaultAndAThrottledOneIsNot) {
  telemetry_.clocks = {1500, 1500, 1500, 1350};
  sample_s_ = 0.001;
  const auto sampled = [&] {
    const std::size_t enough = telemetry_.next + 25 * 4;
    while (telemetry_.next < enough)
      std::this_thread::yield();
  };
  run(4, {{0, {.while_multiplying = sampled}}, {2, {.speed = 0.9}}, {3, {.speed = 0.9}}}, {"gemm"});
  std::set<std::string> by_clock, by_rate;
  for (const auto& finding : with(Status::fail))
    (finding.check.ends_with("-clock") ? by_clock : by_rate).insert(finding.subject.substr(0, 5));
  EXPECT_EQ(by_clock, std::set<std::string>{"GPU 2"}) << all_bad();
  EXPECT_EQ(by_rate, (std::set<std::string>{"GPU 2", "GPU 3"})) << all_bad();
}

TEST_F(GpuBurnin, OneProductThatDiffersIsSilentDataCorruption) {
  run(2, {{0, {.bad_product = 33}}}, {"gemm"});
  ASSERT_FALSE(with(Status::fail).empty());
  for (const auto& finding : with(Status::fail)) {
    EXPECT_THAT(finding.subject, HasSubstr("GPU 0"));
    EXPECT_THAT(finding.check, HasSubstr("repeats"));
  }
}

TEST_F(GpuBurnin, AProductOfAnEarlierBurstIsJudgedToo) {
  run(2, {{0, {.bad_product = 1, .bad_burst = 0}}}, {"gemm"});
  ASSERT_FALSE(with(Status::fail).empty()) << all_bad();
  EXPECT_THAT(with(Status::fail)[0].subject, HasSubstr("GPU 0"));
}

TEST_F(GpuBurnin, WrongBytesBetweenGpusAreThoseOfTheOneThatSendsOrReceivesThem) {
  for (const bool sends : {true, false}) {
    FakeFaults faults;
    (sends ? faults.wrong_bytes_sent : faults.wrong_bytes_received) = 16;
    run(4, {{2, faults}}, {"nvlink"});
    ASSERT_FALSE(with(Status::fail).empty());
    for (const auto& finding : with(Status::fail)) {
      EXPECT_EQ(finding.check, "burnin.nvlink-data") << all_bad();
      EXPECT_THAT(finding.subject, HasSubstr("GPU 2")) << all_bad();
      EXPECT_THAT(finding.subject + finding.observed, HasSubstr(sends ? "sen" : "recei")) << all_bad();
    }
  }
}

TEST_F(GpuBurnin, WrongBytesOverPcieFail) {
  run(2, {{1, {.corrupted_copies = 8}}}, {"pcie"});
  ASSERT_EQ(with(Status::fail).size(), 1u) << all_bad();
  EXPECT_EQ(with(Status::fail)[0].check, "burnin.pcie-data");
}

TEST_F(GpuBurnin, WrongBytesOfOneCopyOfManyFail) {
  run(1, {{0, {.corrupted_copies = 8, .corrupted_times = 1}}}, {"pcie"});
  ASSERT_EQ(with(Status::fail).size(), 1u) << all_bad();
  EXPECT_THAT(with(Status::fail)[0].observed, HasSubstr("8"));
}

TEST_F(GpuBurnin, LaunchesAreInMicroseconds) {
  run(1, {}, {"launch"});
  std::map<std::string, double> values;
  for (const auto& result : outcome_.results)
    if (result.test == "launch") values[result.metric] = result.value;
  EXPECT_NEAR(values["latency"], 9, 0.01);
  EXPECT_NEAR(values["throughput"], 2, 0.01);
}

TEST_F(GpuBurnin, ALostAdditionFails) {
  run(1, {{0, {.loses_an_addition = true}}}, {"atomics"});
  EXPECT_FALSE(with(Status::fail).empty());
}

TEST_F(GpuBurnin, OneSlowPairIsThatPairAndASlowGpuIsThatGpu) {
  run(8, {{3, {.slow_link_to = 6}}}, {"nvlink"});
  auto failed = with(Status::fail);
  ASSERT_FALSE(failed.empty());
  for (const auto& finding : failed)
    EXPECT_THAT(finding.subject, AllOf(HasSubstr("GPU 3"), HasSubstr("GPU 6")));
  run(8, {{3, {.speed = 0.5}}}, {"nvlink"});
  failed = with(Status::fail);
  ASSERT_FALSE(failed.empty());
  for (const auto& finding : failed) {
    EXPECT_THAT(finding.subject, HasSubstr("GPU 3"));
    EXPECT_EQ(finding.subject.find(" to "), std::string::npos) << finding.subject;
  }
}

// Whoever moves the bytes, the direction is theirs.
TEST_F(GpuBurnin, ASlowDirectionIsThatDirectionForEveryMover) {
  run(4, {{0, {.slow_bytes_to = {1}}}}, {"nvlink"});
  const auto failed = with(Status::fail);
  ASSERT_EQ(failed.size(), 3u) << all_bad();
  for (const auto& finding : failed)
    EXPECT_THAT(finding.subject, AllOf(HasSubstr("GPU 0"), HasSubstr("to GPU 1"))) << finding.check;
}

TEST_F(GpuBurnin, AGpuThatIsSlowOneWayTowardsAllIsThatGpu) {
  run(8, {{3, {.slow_bytes_to = {0, 1, 2, 4, 5, 6, 7}}}}, {"nvlink"});
  const auto failed = with(Status::fail);
  ASSERT_EQ(failed.size(), 3u) << all_bad();
  for (const auto& finding : failed) {
    EXPECT_THAT(finding.subject, HasSubstr("GPU 3"));
    EXPECT_THAT(finding.observed, HasSubstr("all 7 pairs that it sends to"));
  }
}

TEST_F(GpuBurnin, OfTwoThatAreLeftThePairIsNamed) {
  run(3, {{0, {.slow_link_to = 1}}, {2, {.fails_in = "copy_to"}}}, {"nvlink"});
  int pairs = 0;
  for (const auto& finding : with(Status::fail))
    if (finding.check.starts_with("burnin.nvlink-") && !finding.subject.starts_with("GPU 2")) {
      EXPECT_THAT(finding.subject, HasSubstr(" to "));
      ++pairs;
    }
  EXPECT_GT(pairs, 0) << all_bad();
}

TEST_F(GpuBurnin, OneWithoutPeersHidesNothingOfTheOthers) {
  std::map<int, FakeFaults> faults{{1, {.slow_bytes_to = {2}}}, {3, {.cannot_reach = 0}}};
  run(4, faults, {"nvlink"});
  EXPECT_THAT(all_bad(), AllOf(HasSubstr("GPU 3"), HasSubstr("cannot reach GPU 0"), HasSubstr("to GPU 2")));
}

// Three of four pairs have a bad end: the others are what is usual, and the healthy ends are not blamed.
TEST_F(GpuBurnin, WhereMostPairsAreSlowTheirEndsAreNamedAndNobodyElse) {
  for (const bool two : {false, true}) {
    std::map<int, FakeFaults> faults{{2, {.slow_bytes_to = {0, 1, 3}}}};
    faults[0].slow_bytes_to = {2}, faults[1].slow_bytes_to = {2};
    if (two)
      faults[3].slow_bytes_to = {0, 1, 2}, faults[0].slow_bytes_to = {2, 3}, faults[1].slow_bytes_to = {2, 3};
    run(two ? 4 : 3, faults, {"nvlink"});
    ASSERT_FALSE(with(Status::fail).empty());
    for (const auto& finding : with(Status::fail))
      EXPECT_TRUE(finding.subject.starts_with("GPU 2") || finding.subject.starts_with("GPU 3"))
          << finding.subject;
  }
}

TEST_F(GpuBurnin, ManyStuckBitsAreNoAddressLines) {
  run(1, {{0, {.many_stuck_bits = true, .stuck_bit = 30}}}, {"memory"});
  EXPECT_THAT(all_bad(), AllOf(HasSubstr("different bits"), Not(HasSubstr("every wrong word holds"))));
}

TEST_F(GpuBurnin, AStuckBitOfThousandsOfWordsIsThatBit) {
  run(1, {{0, {.stuck_bit = 30}}}, {"memory"});
  EXPECT_THAT(all_bad(),
              AllOf(HasSubstr("; bit 30, stuck at 1"), HasSubstr("at least"), Not(HasSubstr("address bit"))));
}

TEST_F(GpuBurnin, OneStuckCellIsOneWordHoweverOftenItIsRead) {
  quick_ = false;
  run(1, {{0, {.stuck_word = 12345}}}, {"memory"});
  EXPECT_THAT(all_bad(),
              AllOf(HasSubstr("1 wrong word in "), HasSubstr("(word 12345)"), Not(HasSubstr("channel"))));
}

TEST_F(GpuBurnin, ALostGpuHasPassedNoSteps) {
  quick_ = false;
  run(2, {{1, {.fails_in = "gemm"}}}, {"pulse"});
  for (const auto& finding : with(Status::pass))
    if (finding.check == "burnin.pulse") {
      EXPECT_THAT(finding.subject, Not(HasSubstr("GPU 1")));
    }
}

TEST_F(GpuBurnin, ASlowStretchOfMemoryIsAWindow) {
  run(1, {{0, {.slow_window = 2 * FakeGpu::piece_bytes / 8}}}, {"hbm"});
  bool found = false;
  for (const auto& finding : with(Status::fail))
    found = found || (finding.check == "burnin.hbm-windows" && finding.observed.find("window 2 of 4") == 0);
  EXPECT_TRUE(found) << all_bad();
}

TEST_F(GpuBurnin, EveryTroubleInMidTestIsNamedAndTheOthersGoOn) {
  const std::vector<std::pair<GpuTrouble, std::string>> troubles{
      {GpuTrouble::lost, "fell off the bus"},
      {GpuTrouble::uncorrectable, "uncorrectable ECC"},
      {GpuTrouble::fabric, "NVLink or NVSwitch"},
      {GpuTrouble::hung, "hung"},
      {GpuTrouble::memory, "not enough free memory"},
      {GpuTrouble::taken, "another process holds it"},
      {GpuTrouble::other, "planted"}};
  for (const auto& [trouble, words] : troubles) {
    run(2, {{1, {.fails_in = "sweep", .failure = trouble}}}, {"memory", "sm"});
    Status status = Status::pass;
    for (const auto& finding : outcome_.findings)
      if (finding.check == "burnin.device") {
        status = finding.status;
        EXPECT_THAT(finding.observed, HasSubstr(words));
        EXPECT_THAT(finding.observed, HasSubstr("while: memory"));
        EXPECT_THAT(finding.subject, HasSubstr("GPU 1"));
        EXPECT_FALSE(finding.remedy.empty());
      }
    EXPECT_TRUE(status == Status::fail || status == Status::unknown) << words;
    // GPU 0 was tested to the end; GPU 1 not again.
    int sm = 0;
    for (const auto& finding : outcome_.findings)
      if (finding.check == "burnin.sm") {
        ++sm;
        EXPECT_THAT(finding.subject, HasSubstr("GPU 0"));
        EXPECT_EQ(finding.status, Status::pass);
      }
    EXPECT_EQ(sm, static_cast<int>(tile::engine_names.size())) << words;
  }
}

// Two that hang set each other aside: each must be named all the same.
TEST_F(GpuBurnin, WhatAGpuShowsOfItselfOutranksThatItWaitsForAnother) {
  const GpuTest both_hang{
      .name = "both", .summary = "", .limit = "", .quick_s = 1, .full_s = 1, .run = [](Burnin& node, double) {
        node.each([&](Burnin::Card& card) {
          auto& other = node.cards()[&card == node.cards().data() ? 1 : 0];
          node.lose(card, GpuError(GpuTrouble::hung, "supposed"), Burnin::Known::by_elimination);
          node.lose(other, GpuError(GpuTrouble::held, "copies"), Burnin::Known::beside_it);
          if (&card == node.cards().data()) throw GpuError(GpuTrouble::hung, "seen");
        });
      }};
  std::vector<std::unique_ptr<GpuDevice>> devices;
  devices.push_back(std::make_unique<FakeGpu>(0, FakeFaults{}));
  devices.push_back(std::make_unique<FakeGpu>(1, FakeFaults{}));
  run(std::move(devices), {&both_hang});
  std::map<std::string, Status> of_device;
  for (const auto& finding : outcome_.findings)
    if (finding.check == "burnin.device") of_device[finding.subject.substr(0, 5)] = finding.status;
  EXPECT_EQ(of_device, (std::map<std::string, Status>{{"GPU 0", Status::fail}, {"GPU 1", Status::unknown}}));
}

TEST_F(GpuBurnin, EveryCallMayFailAndNothingHangsOrCrashes) {
  for (const char* call :
       {"take_memory", "hbm", "sweep", "tiles", "gemm", "copy", "copy_to", "launches", "atomic_adds"}) {
    run(2, {{0, {.fails_in = call}}, {1, {.fails_in = call}}});
    int named = 0;
    for (const auto& finding : outcome_.findings)
      named += finding.check == "burnin.device" && finding.status == Status::fail;
    // Once GPU 0 is gone, GPU 1 has no peer to copy to, and is not at fault.
    EXPECT_EQ(named, std::string(call) == "copy_to" ? 1 : 2) << call;
  }
}

// Refused before any test: a fault that is never planted would never be found.
TEST_F(GpuBurnin, AFaultWithoutAPlaceIsRefused) {
  const auto refused = [&](const char* text) {
    try {
      run(2, {}, {"sm"}, fault_from(text, gpu_faults()));
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
    return std::string("not refused");
  };
  EXPECT_THAT(refused("memory:gpu=2,word=1,bit=3"), HasSubstr("gpu 2 is none of those measured: 0, 1"));
  EXPECT_THAT(refused("sm:gpu=1,sm=65535"), HasSubstr("sm 65535 is not below"));
  EXPECT_THAT(refused("memory:gpu=1,word=4503599627370496,bit=3"),
              HasSubstr("word 4503599627370496 is not below"));
  EXPECT_EQ(refused("memory:gpu=1,word=0,bit=63"), "not refused");
}

TEST(GpuTrouble, IsKnownByCudasNames) {
  EXPECT_EQ(trouble_of("cudaErrorECCUncorrectable"), GpuTrouble::uncorrectable);
  EXPECT_EQ(trouble_of("cudaErrorDevicesUnavailable"), GpuTrouble::taken);
  EXPECT_EQ(trouble_of("cudaErrorUnknown"), GpuTrouble::lost);
  EXPECT_EQ(trouble_of("cudaErrorMemoryAllocation"), GpuTrouble::memory);
  EXPECT_EQ(trouble_of("cudaErrorSomethingNew"), GpuTrouble::other);
}

}  // namespace
}  // namespace mlc
