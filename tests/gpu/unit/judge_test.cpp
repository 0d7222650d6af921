#include <gmock/gmock.h>

#include <cmath>
#include <functional>

#include "bench/gpu/judge_memory.hpp"
#include "bench/gpu/judge_pairs.hpp"
#include "bench/gpu/judge_rates.hpp"
#include "bench/gpu/judge_tiles.hpp"

namespace mlc {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<Status> judged(const RateRule& rule, const std::vector<std::optional<double>>& values) {
  std::vector<NamedValue> named;
  for (const auto& value : values)
    named.push_back({"GPU " + std::to_string(named.size()), value});
  std::vector<Status> statuses;
  for (const auto& finding : judge_rates(rule, named))
    statuses.push_back(finding.status);
  return statuses;
}

constexpr Status pass = Status::pass, fail = Status::fail, unknown = Status::unknown;

TEST(JudgeRates, BothRulesCount) {
  const RateRule rule{.check = "burnin.x", .unit = "GB/s", .bound = 90, .spread = 0.02};
  EXPECT_EQ(judged(rule, {100, 100, 100, 97}),
            (std::vector{pass, pass, pass, fail}));  // above the floor, below the rest
  EXPECT_EQ(judged(rule, {80, 80, 80, 80}),
            (std::vector{fail, fail, fail, fail}));  // all alike, below the floor
  EXPECT_EQ(judged(rule, {100, 100, 99, 110}), (std::vector{pass, pass, pass, pass}));  // faster is no fault
}

TEST(JudgeRates, OfTwoTheSlowerIsBlamedAndOneAloneHasOnlyTheBound) {
  const RateRule rule{.check = "burnin.x", .unit = "GB/s", .spread = 0.02};
  EXPECT_EQ(judged(rule, {100, 97}), (std::vector{pass, fail}));
  EXPECT_EQ(judged(rule, {5}), (std::vector{pass}));
}

TEST(JudgeRates, NothingMeasuredIsNeverAPass) {
  const RateRule rule{.check = "burnin.x", .unit = "GB/s", .bound = 1};
  EXPECT_EQ(judged(rule, {std::nullopt, std::nan(""), 0.0, -1.0, INFINITY}),
            (std::vector{unknown, unknown, unknown, unknown, unknown}));
}

TEST(JudgeRates, LatenciesAreJudgedUpwards) {
  const RateRule rule{.check = "burnin.x", .unit = "µs", .bound = 12, .spread = 0.5, .less_is_better = true};
  EXPECT_EQ(judged(rule, {8, 8, 8, 13}), (std::vector{pass, pass, pass, fail}));
  EXPECT_EQ(judged(rule, {2, 2, 2, 4}), (std::vector{pass, pass, pass, fail}));
}

// Of n GPUs; a rate of zero: the pair does not reach each other.
PairJudgement of_pairs(std::size_t n, const std::function<double(std::size_t, std::size_t)>& rate,
                       std::optional<double> bound = std::nullopt) {
  PairRates rates;
  for (std::size_t gpu = 0; gpu < n; ++gpu)
    rates.subjects.push_back("GPU " + std::to_string(gpu));
  for (std::size_t cell = 0; cell < n * n; ++cell) {
    const double value = cell / n == cell % n ? 0 : rate(cell / n, cell % n);
    rates.asked.push_back(value > 0);
    rates.values.emplace_back(value);
  }
  return judge_pairs({.check = "burnin.nvlink-x", .unit = "GB/s", .bound = bound, .spread = .02}, rates);
}

std::vector<std::string> named(const PairJudgement& judgement) {
  std::vector<std::string> subjects;
  for (const auto& finding : judgement.findings)
    if (finding.status == Status::fail) subjects.push_back(finding.subject);
  return subjects;
}

// Four GPUs in two bridged pairs, the rest over PCIe: nobody is worse than another.
TEST(JudgePairs, TwoKindsOfLinkAreNoFault) {
  const auto bridged = [](std::size_t from, std::size_t to) { return from / 2 == to / 2 ? 100. : 12.; };
  const auto judgement = of_pairs(4, bridged);
  EXPECT_THAT(named(judgement), IsEmpty());
  EXPECT_THAT(judgement.findings.at(0).observed, HasSubstr("12 ordered pairs, 12 to 100"));
  // Where a bound asks for the bridge of every pair, all of them are equally short of it.
  EXPECT_THAT(named(of_pairs(4, bridged, 50)), ElementsAre("GPU 0", "GPU 1", "GPU 2", "GPU 3"));
}

// With one peer alone nobody can tell which of the two it is.
TEST(JudgePairs, OfTwoThatHaveNoOtherPeerThePairIsNamed) {
  EXPECT_THAT(named(of_pairs(8,
                             [](std::size_t from, std::size_t to) {
                               return from / 2 != to / 2 ? 0. : from / 2 == 0 ? 20. : 100.;
                             })),
              ElementsAre("GPU 0 to GPU 1", "GPU 1 to GPU 0"));
}

// Half of the GPUs are bad: the other half has more slow pairs than fast ones, and is not to blame.
TEST(JudgePairs, TheHealthyBesideManyBadOnesAreNotBlamed) {
  EXPECT_THAT(named(of_pairs(
                  4, [](auto from, auto to) { return from > 1 || to > 1 ? 20. : 100.; }, 50.)),
              ElementsAre("GPU 2", "GPU 3"));
  EXPECT_THAT(named(of_pairs(
                  8, [](auto from, auto to) { return from > 3 || to > 3 ? 20. : 100.; }, 50.)),
              ElementsAre("GPU 4", "GPU 5", "GPU 6", "GPU 7"));
}

TEST(JudgePairs, WhereAllAreSlowAllAreNamed) {
  EXPECT_THAT(named(of_pairs(
                  3, [](auto, auto) { return 20.; }, 50.)),
              ElementsAre("GPU 0", "GPU 1", "GPU 2"));
}

TEST(JudgePairs, OneWayOrBothOrOnePair) {
  EXPECT_THAT(named(of_pairs(8, [](auto from, auto to) { return from == 3 || to == 3 ? 20. : 100.; })),
              ElementsAre("GPU 3"));
  EXPECT_THAT(named(of_pairs(8, [](auto from, auto) { return from == 3 ? 20. : 100.; })),
              ElementsAre("GPU 3"));
  EXPECT_THAT(named(of_pairs(8, [](auto from, auto to) { return from == 3 && to == 5 ? 20. : 100.; })),
              ElementsAre("GPU 3 to GPU 5"));
  const auto culprits = of_pairs(8, [](auto, auto to) { return to == 2 ? 20. : 100.; }).culprits;
  ASSERT_EQ(culprits.size(), 1u);
  EXPECT_EQ(culprits[0].column, 2u);
  EXPECT_TRUE(culprits[0].whole_column && !culprits[0].whole_row);
}

TEST(JudgePairs, NothingMeasuredIsNeverAPass) {
  PairRates rates{.subjects = {"a", "b"}, .asked = {false, true, true, false}, .values = {{}, {}, {}, {}}};
  const auto judgement = judge_pairs({.check = "burnin.nvlink-x", .unit = "GB/s"}, rates);
  EXPECT_EQ(judgement.findings.at(0).status, Status::unknown);
  EXPECT_THAT(judgement.findings.at(0).observed, HasSubstr("none measured"));
  rates.asked.assign(4, false);
  EXPECT_THAT(judge_pairs({.check = "x"}, rates).findings, IsEmpty());
}

tile::Digest golden(const tile::Spec& spec, int repeat) {
  return tile::golden(tile::Engine::shared, spec, repeat % tile::seeds);
}

class JudgeTiles : public ::testing::Test {
 protected:
  void SetUp() override {
    for (int gpu = 0; gpu < 3; ++gpu) {
      TileTable table{.subject = "GPU " + std::to_string(gpu), .sms = 8, .results = {}};
      for (int repeat = 0; repeat < 16; ++repeat)
        for (std::uint32_t sm = 0; sm < 8; ++sm)
          table.results.push_back({sm, static_cast<std::uint32_t>(repeat), golden(spec, repeat)});
      tables.push_back(table);
    }
  }
  std::vector<Finding> judged() const { return judge_tiles(tile::Engine::shared, spec, tables); }
  tile::Spec spec{11, 1};
  std::vector<TileTable> tables;
};

TEST_F(JudgeTiles, AgreementPasses) {
  for (const auto& finding : judged())
    EXPECT_EQ(finding.status, pass) << finding.observed;
}

TEST_F(JudgeTiles, ASingleWrongRepeatOfASingleSmIsFound) {
  tables[1].results[8 * 5 + 3].digest.sum += 1;
  const auto findings = judged();
  EXPECT_EQ(findings[0].status, pass);
  EXPECT_EQ(findings[1].status, fail);
  EXPECT_THAT(findings[1].observed, HasSubstr("SM 3 (1 of 16 tiles)"));
  EXPECT_EQ(findings[2].status, pass);
}

TEST_F(JudgeTiles, AWholeBadGpuIsSaidAsSuch) {
  for (auto& result : tables[2].results)
    result.digest.parity ^= result.sm + 1;
  const auto findings = judged();
  EXPECT_EQ(findings[2].status, fail);
  EXPECT_THAT(findings[2].observed, HasSubstr("every SM"));
  EXPECT_EQ(findings[0].status, pass);
}

TEST_F(JudgeTiles, AHostThatIsOutvotedIsTheSuspect) {
  for (auto& table : tables)
    for (auto& result : table.results)
      result.digest.sum ^= 0x100;
  for (const auto& finding : judged())
    EXPECT_EQ(finding.status, unknown) << finding.observed;
}

// Two of two SMs, of a tile that nobody else computed: too few to doubt the host for.
TEST_F(JudgeTiles, FewResultsDoNotOutvoteTheHost) {
  tables.resize(1);
  tables[0].sms = 2;
  std::erase_if(tables[0].results,
                [](const tile::Result& result) { return result.sm > 1 || result.tile > 5; });
  for (auto& result : tables[0].results)
    result.digest.sum ^= result.tile == 3 ? 0x100 : 0;
  EXPECT_EQ(judged()[0].status, fail) << judged()[0].observed;
}

TEST_F(JudgeTiles, AnSmThatWasNeverSeenIsNoPass) {
  std::erase_if(tables[0].results, [](const tile::Result& result) { return result.sm == 6; });
  const auto findings = judged();
  EXPECT_EQ(findings[0].status, unknown);
  EXPECT_THAT(findings[0].observed, HasSubstr("7 of 8"));
}

memory::Error error_at(std::uint64_t index, std::uint64_t flipped, std::uint32_t sm) {
  const memory::Spec spec{memory::Pattern::random, 4, false};
  const auto expected = memory::word(spec, index);
  return {.index = index, .expected = expected, .got = expected ^ flipped, .sm = sm, .spec = spec};
}

// Who is named where bytes arrive wrong: bad[i][j] of what GPU i sent to GPU j; -1: nothing was sent.
std::vector<std::string> named_for(const std::vector<std::vector<int>>& bad) {
  std::vector<std::string> subjects;
  std::vector<std::optional<std::uint64_t>> wrong;
  for (std::size_t i = 0; i < bad.size(); ++i) {
    subjects.push_back("GPU " + std::to_string(i));
    for (const int bytes : bad[i])
      wrong.push_back(bytes < 0 ? std::nullopt : std::optional<std::uint64_t>(bytes));
  }
  std::vector<std::string> named;
  for (const auto& finding : judge_pair_data(subjects, wrong))
    named.push_back(finding.subject + (finding.observed.ends_with("sends")      ? " sends"
                                       : finding.observed.ends_with("receives") ? " receives"
                                                                                : ""));
  return named;
}

TEST(JudgePairData, NamesWhoTheWrongPairsHaveInCommon) {
  using testing::ElementsAre;
  EXPECT_THAT(named_for({{-1, 0, 0}, {0, -1, 0}, {0, 0, -1}}), testing::IsEmpty());
  EXPECT_THAT(named_for({{-1, 9, 9}, {0, -1, 0}, {0, 0, -1}}), ElementsAre("GPU 0 sends"));
  EXPECT_THAT(named_for({{-1, 0, 9}, {0, -1, 9}, {0, 0, -1}}), ElementsAre("GPU 2 receives"));
  EXPECT_THAT(named_for({{-1, 9, 0}, {0, -1, 0}, {0, 0, -1}}), ElementsAre("GPU 0 to GPU 1"));
  // Two that receive wrongly: all that the healthy third sends arrives wrong.
  EXPECT_THAT(named_for({{-1, 9, 0}, {9, -1, 0}, {9, 9, -1}}),
              ElementsAre("GPU 0 receives", "GPU 1 receives"));
  // Two that send wrongly: all that the healthy third receives is wrong.
  EXPECT_THAT(named_for({{-1, 9, 9}, {9, -1, 9}, {0, 0, -1}}), ElementsAre("GPU 0 sends", "GPU 1 sends"));
  EXPECT_THAT(named_for({{-1, 9}, {0, -1}}), ElementsAre("GPU 0 to GPU 1"));
}

TEST(Localise, ManyWordsReadByOneSmBlameTheSm) {
  memory::ErrorLog log;
  for (std::uint64_t i = 0; i < 50; ++i)
    memory::add(log, error_at(i * 7919, 1 << (i % 11), 90));
  EXPECT_THAT(localise(log), HasSubstr("all read by SM 90, so that SM"));
}

// Words that came back with the value of another address, whose bit 5 is another.
memory::ErrorLog dead_line(memory::Pattern pattern, std::uint64_t words) {
  memory::ErrorLog log;
  const memory::Spec spec{pattern, 4, false};
  for (std::uint64_t i = 0; i < words; ++i) {
    const std::uint64_t index = i * 64 | 1 << 5;
    memory::add(log, {.index = index,
                      .expected = memory::word(spec, index),
                      .got = memory::word(spec, index ^ 1 << 5),
                      .sm = static_cast<std::uint32_t>(i % 4),
                      .spec = spec});
  }
  return log;
}

TEST(Localise, ADeadAddressLineIsFoundByWhatCameBack) {
  EXPECT_THAT(localise(dead_line(memory::Pattern::random, 32)), EndsWith("address bit 5 does not work"));
}

// Own addresses differ in just the bit that a fault of the memory may flip.
TEST(Localise, FewWordsWithAFlippedBitAccuseNoAddressLine) {
  for (const std::uint64_t words : {1, 32})
    EXPECT_THAT(localise(dead_line(memory::Pattern::own_address, words)),
                AllOf(HasSubstr("; bit 5, "), Not(HasSubstr("address bit"))));
  const std::string many = localise(dead_line(memory::Pattern::own_address, 5000));
  EXPECT_THAT(many, AllOf(HasSubstr("; bit 5, "), HasSubstr("; or address bit 5 does not work")));
}

// Own addresses come first and fill the log; random words after them are counted alone.
TEST(Localise, ADeadLineIsFoundThoughOnlyOwnAddressesAreKept) {
  memory::ErrorLog log = dead_line(memory::Pattern::own_address, 5000);
  const memory::Spec spec{memory::Pattern::random, 4, false};
  memory::add(log,
              {.index = 32, .expected = memory::word(spec, 32), .got = memory::word(spec, 0), .spec = spec});
  EXPECT_THAT(localise(log), EndsWith("address bit 5 does not work"));
}

TEST(Localise, BitsFlippedInSeveralWordsAccuseNoLines) {
  const memory::Spec spec{memory::Pattern::own_address, 4, false};
  for (const std::uint64_t words : {2, 20, 5000}) {
    memory::ErrorLog log;
    for (std::uint64_t i = 0; i < words; ++i) {
      const auto right = memory::word(spec, i * 64);
      memory::add(log, {.index = i * 64,
                        .expected = right,
                        .got = right ^ (i % 2 == 0 ? 1 << 5 : 1 << 7),
                        .sm = static_cast<std::uint32_t>(i % 2),
                        .spec = spec});
    }
    const std::string said = localise(log);
    EXPECT_THAT(said, HasSubstr("; bits 5, 7; read by 2 SMs")) << words;
    EXPECT_EQ(said.find("; or address lines") != std::string::npos, words > memory::most_errors);
    EXPECT_THAT(said, Not(HasSubstr("every wrong word holds")));
  }
}

TEST(Localise, WhatOneSmFlipsInManyWordsIsThatSms) {
  memory::ErrorLog log;
  const memory::Spec spec{memory::Pattern::own_address, 4, false};
  for (std::uint64_t i = 0; i < 5000; ++i) {
    const auto right = memory::word(spec, i * 64);
    memory::Error error{.index = i * 64, .expected = right, .got = right ^ 1 << 5, .sm = 90, .spec = spec};
    error.reread = true;
    for (auto& again : error.again)
      again = right;
    memory::add(log, error);
  }
  EXPECT_THAT(localise(log), AllOf(HasSubstr("all read by SM 90"), HasSubstr("the path or a transient fault"),
                                   Not(HasSubstr("address bit"))));
}

// A block of threads sweeps neighbours: that one SM read them all is no sign against it.
TEST(Localise, NeighboursReadByOneSmAccuseNoSm) {
  memory::ErrorLog log;
  for (std::uint64_t i = 4096; i < 4099; ++i)
    memory::add(log, error_at(i, 32, 8));
  EXPECT_THAT(localise(log), AllOf(HasSubstr("all read by SM 8"), Not(HasSubstr("suspect"))));
}

TEST(Localise, WordsOfOneChannelShowInTheirAddresses) {
  memory::ErrorLog log;
  for (std::uint64_t i = 0; i < 64; ++i)
    memory::add(log, error_at(i * 1024 + 0x40, 1 << (i % 9), static_cast<std::uint32_t>(i)));
  EXPECT_THAT(localise(log), AllOf(HasSubstr("64 SMs"), HasSubstr("one channel or bank")));
}

TEST(Localise, BitsOfSeveralPlacesAreStuckAtNothing) {
  memory::ErrorLog log;
  for (std::uint64_t i = 0; i < 4; ++i)
    memory::add(log, error_at(i * 1000, i % 2 == 0 ? 2 : 4, static_cast<std::uint32_t>(i)));
  EXPECT_EQ(localise(log).find("stuck at"), std::string::npos) << localise(log);
}

TEST(Localise, MixedRereadsAreCounted) {
  memory::ErrorLog log;
  for (std::uint64_t i = 0; i < 4; ++i) {
    auto error = error_at(i * 1000, 2, static_cast<std::uint32_t>(i));
    error.reread = true;
    for (auto& again : error.again)
      again = i == 0 ? error.expected : error.got;
    memory::add(log, error);
  }
  EXPECT_THAT(localise(log), HasSubstr("3 of 4 the same"));
}

TEST(JudgeMemory, AWrongWordIsToldThoughItsRoundWasNeverFinished) {
  memory::ErrorLog log;
  memory::add(log, {.index = 7, .expected = 0, .got = 8, .again = {8, 8, 8}, .reread = true});
  const std::vector<MemoryOutcome> lost{{.subject = "GPU 0", .rounds = 0, .lost = true, .log = &log}};
  const auto findings = judge_memory(lost, 0.9);
  EXPECT_EQ(findings[0].status, Status::fail);
  EXPECT_THAT(findings[0].observed, testing::HasSubstr("bit 3"));
}

TEST(JudgeMemory, NoRoundIsNoPass) {
  const memory::ErrorLog log;
  const auto findings = judge_memory(
      std::vector{MemoryOutcome{.subject = "GPU 0", .tested = 97, .total = 100, .rounds = 0, .log = &log}},
      0.97);
  EXPECT_EQ(findings[0].status, unknown);
  EXPECT_EQ(findings[1].status, pass);
}

}  // namespace
}  // namespace mlc
