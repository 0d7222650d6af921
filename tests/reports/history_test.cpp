#include "reports/history/history.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "reports/faces/history_faces.hpp"
#include "reports/history/cuts.hpp"
#include "reports/history/history_files.hpp"
#include "reports/record/json.hpp"
#include "tests/reports/sample_history.hpp"
#include "tests/reports/sample_report.hpp"

namespace mlc {
namespace {

using test::FleetPlan;
using ::testing::HasSubstr;

TEST(Time, ParsesUtcAndNothingElse) {
  EXPECT_EQ(parse_utc("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(parse_utc("2026-01-05T03:00:00Z"), 1767582000);
  EXPECT_EQ(utc_text(1767582000), "2026-01-05T03:00:00Z");
  EXPECT_EQ(utc_text(-1), "1969-12-31T23:59:59Z");
  for (const char* bad : {"", "2026-01-05", "2026-01-05T03:00:00", "2026-02-30T00:00:00Z",
                          "2026-13-01T00:00:00Z", "2026-01-05T24:00:00Z", "2026-01-05 03:00:00Z",
                          "20a6-01-05T03:00:00Z", "2026-01-05T-3:00:00Z", "2026-01-05T03:00:00Zx"})
    EXPECT_FALSE(parse_utc(bad)) << bad;
}

TEST(History, FindsTheRailThatFellAndWhatChangedWithIt) {
  const HistoryResult result = analyse(test::fleet_history(test::eventful_fleet()));
  const auto rail = std::find_if(result.events.begin(), result.events.end(),
                                 [](const auto& it) { return it.node == "gpu-1007"; });
  ASSERT_NE(rail, result.events.end());
  EXPECT_EQ(rail->rail, 2);
  EXPECT_EQ(utc_day(rail->time_s), "2026-03-02");
  EXPECT_NEAR(rail->change, -0.12, 0.005);
  EXPECT_TRUE(rail->worse);
  ASSERT_EQ(rail->versions.size(), 1u);
  EXPECT_EQ(rail->versions[0], (VersionChange{"firmware", "28.43.2566", "28.45.1200", 1}));
}

TEST(History, AShiftOfTheWholeFleetIsOneEvent) {
  FleetPlan plan{.nodes = 200, .days = 60};
  plan.factor = [](int, int, int day) { return day >= 30 ? 0.95 : 1; };
  const HistoryResult result = analyse(test::fleet_history(plan));
  ASSERT_EQ(result.events.size(), 1u) << "1000 series moved";
  EXPECT_TRUE(result.events[0].node.empty());
  EXPECT_EQ(result.events[0].also.size(), 1u);  // the other metric
  EXPECT_NEAR(result.events[0].change, -0.05, 0.003);
  EXPECT_TRUE(result.outliers.empty());
}

TEST(History, APartOfTheFleetIsOneEventToo) {
  // Every fifth node, as behind one leaf switch: their median does not move the fleet's.
  FleetPlan plan{.nodes = 100, .days = 60, .rails = 0};
  plan.factor = [](int node, int, int day) { return day >= 30 && node % 5 == 0 ? 0.9 : 1; };
  const HistoryResult result = analyse(test::fleet_history(plan));
  const auto fleet = std::count_if(result.events.begin(), result.events.end(),
                                   [](const auto& it) { return it.node.empty(); });
  ASSERT_EQ(fleet, 1);
  const auto& event = *std::find_if(result.events.begin(), result.events.end(),
                                    [](const auto& it) { return it.node.empty(); });
  EXPECT_EQ(event.members.size(), 20u);
  EXPECT_EQ(result.events.size(), 1u);
}

TEST(History, AShiftInTheLastRunIsAnAlarmAndNobodysFault) {
  FleetPlan plan{.nodes = 50, .days = 20};
  plan.factor = [](int node, int, int day) { return day == 19 && node % 4 == 0 ? 0.8 : 1; };
  HistoryResult result = analyse(test::fleet_history(plan));
  EXPECT_EQ(result.alarms.size(), 1u);
  EXPECT_THAT(result.alarms[0].why, HasSubstr("slow at once"));
  EXPECT_TRUE(result.outliers.empty());
  EXPECT_EQ(decide(result), Decision::fail);

  plan.factor = [](int, int, int day) { return day == 19 ? 0.9 : 1; };
  result = analyse(test::fleet_history(plan));
  ASSERT_EQ(result.alarms.size(), 1u);
  EXPECT_THAT(result.alarms[0].why, HasSubstr("median moved by -"));
}

TEST(History, OutliersNeedPeers) {
  const auto outliers = [](int nodes) {
    FleetPlan plan{.nodes = nodes, .days = 10, .rails = 0};
    plan.factor = [](int node, int, int day) { return node == 0 && day == 9 ? 0.9 : 1; };
    return analyse(test::fleet_history(plan)).outliers;
  };
  ASSERT_EQ(outliers(12).size(), 1u);
  EXPECT_EQ(outliers(12)[0].node, "gpu-1000");
  EXPECT_NEAR(outliers(12)[0].ratio, 0.9, 0.02);
  EXPECT_TRUE(outliers(11).empty());
}

TEST(History, LatencyIsWorseWhenItGrows) {
  History history;
  for (int day = 0; day < 60; ++day)
    for (int node = 0; node < 20; ++node)
      history.add(
          {.id = std::to_string(day) + "-" + std::to_string(node),
           .time_s = day * 86400,
           .node = "n" + std::to_string(node),
           .stratum = "",
           .versions = {},
           .readings = {{"", -1, "latency", "us",
                         (node == 4 && day >= 30 ? 12.0 : 10.0) + 0.01 * (node % 3) + 0.001 * (day % 7)}}});
  history.sort();
  const HistoryResult result = analyse(history);
  ASSERT_EQ(result.events.size(), 1u);
  EXPECT_EQ(result.events[0].node, "n4");
  EXPECT_TRUE(result.events[0].worse);
  EXPECT_NEAR(result.events[0].change, 0.2, 0.01);
  ASSERT_EQ(result.outliers.size(), 1u);
}

TEST(History, OneNodeAloneIsComparedWithItsOwnPast) {
  FleetPlan plan{.nodes = 1, .days = 60, .rails = 0};
  plan.factor = [](int, int, int day) { return day >= 40 ? 0.9 : 1; };
  const HistoryResult result = analyse(test::fleet_history(plan));
  ASSERT_EQ(result.events.size(), 1u);
  EXPECT_EQ(result.events[0].node, "gpu-1000");
}

// A new GPU is another machine: that it is slower than the old one was, its peers may say, its past may not.
TEST(History, IsCutWhereTheHardwareIsAnother) {
  FleetPlan plan{.nodes = 30, .days = 60, .rails = 0};
  plan.factor = [](int node, int, int day) { return node == 7 && day >= 40 ? 0.95 : 1; };
  const auto events = [&](const std::function<std::string(int)>& gpus) {
    plan.versions = [&gpus](int node, int day) {
      return node == 7 ? Versions{{hardware_key("gpu-1007"), gpus(day)}} : Versions{};
    };
    return analyse(test::fleet_history(plan));
  };
  const auto of_gpu_1007 = [](const HistoryResult& result) {
    return std::ranges::count(result.events, "gpu-1007", &HistoryEvent::node);
  };
  const auto replaced = events([](int day) { return day < 40 ? "aa bb cc" : "aa dd cc"; });
  EXPECT_EQ(of_gpu_1007(replaced), 0);
  ASSERT_EQ(replaced.cuts.size(), 1u);
  EXPECT_EQ(replaced.cuts[0].node, "gpu-1007");
  EXPECT_EQ(replaced.cuts[0].what, "GPU 1 of gpu-1007 is another (dd)");
  EXPECT_EQ(utc_day(replaced.cuts[0].time_s), "2026-02-10");
  EXPECT_THAT(to_text(replaced, {}), HasSubstr("2026-02-10  gpu-1007  GPU 1 of gpu-1007 is another (dd)"));
  const auto same = events([](int) { return "aa bb cc"; });
  EXPECT_EQ(of_gpu_1007(same), 1);
  EXPECT_TRUE(same.cuts.empty());
  // One that falls off the bus and comes back is the same hardware.
  const auto away = events([](int day) { return day >= 20 && day < 30 ? "aa cc" : "aa bb cc"; });
  EXPECT_EQ(of_gpu_1007(away), 1);
  EXPECT_TRUE(away.cuts.empty());
}

TEST(History, IsCutWhereANodeWasRepaired) {
  FleetPlan plan{.nodes = 30, .days = 60, .rails = 1};
  plan.factor = [](int node, int, int day) { return node == 7 && day >= 40 ? 0.95 : 1; };
  const History history = test::fleet_history(plan);
  HistoryOptions options;
  EXPECT_EQ(analyse(history, options).events.size(), 1u);
  options.repairs = repairs_from_csv(
      "node,time,what\n\n# a comment\ngpu-1007, 2026-02-10, cable of rail 0\ngpu-9,2026-01-01T00:00:00Z\n");
  ASSERT_EQ(options.repairs.size(), 2u);
  const auto result = analyse(history, options);
  EXPECT_TRUE(result.events.empty());
  ASSERT_EQ(result.cuts.size(), 1u) << "once, for all that the node measures";
  EXPECT_EQ(result.cuts[0].what, "cable of rail 0");
  options.repairs[0].time_s -= 10 * 86400;
  EXPECT_EQ(analyse(history, options).events.size(), 1u)
      << "a repair hides nothing but what it could have changed";
}

TEST(History, RepairsAreReadOrRefused) {
  for (const char* bad : {"gpu-1\n", "gpu-1,yesterday\n", ",2026-01-01\n", "gpu-1,2026-02-30\n", "a,b,c"})
    EXPECT_THROW(repairs_from_csv(bad), RepairsError) << bad;
  EXPECT_TRUE(repairs_from_csv("").empty());
  EXPECT_EQ(repairs_from_csv("\xef\xbb\xbfNODE,TIME,WHAT\r\nn,2026-01-01\r\n").size(), 1u)
      << "as a spreadsheet writes it";
  EXPECT_EQ(repairs_from_csv("\xef\xbb\xbfn,2026-01-01\n").at(0).node, "n");
}

// A node that was slow from the first day on is steady: only peers would tell, and there are too few.
TEST(History, WhoHadNoPeersIsNotSaidToBeLikeThem) {
  const auto words = [](int nodes) {
    FleetPlan plan{.nodes = nodes, .days = 30, .rails = 0};
    plan.factor = [](int node, int, int) { return node == 1 ? 0.7 : 1; };
    const HistoryResult result = analyse(test::fleet_history(plan));
    return std::string(to_string(decide(result))) + ": " + to_text(result);
  };
  EXPECT_THAT(words(11), HasSubstr("with fewer than 12 peers nobody was compared with them"));
  EXPECT_THAT(words(12), testing::StartsWith("fail"));
}

TEST(History, SteadyIsSteady) {
  const HistoryResult result = analyse(test::fleet_history({.nodes = 100, .days = 120}));
  EXPECT_TRUE(result.events.empty());
  EXPECT_TRUE(result.alarms.empty());
  EXPECT_TRUE(result.outliers.empty());
  EXPECT_EQ(decide(result), Decision::pass);
  EXPECT_EQ(decide(analyse(History{})), Decision::inconclusive);
}

TEST(History, GapsAndLateNodesAreNoChanges) {
  FleetPlan plan{.nodes = 40, .days = 100, .rails = 1};
  History history;
  test::each_run(plan, [&](HistoryRun&& run) {
    const int node = std::stoi(run.node.substr(4)) - 1000;
    const auto day = (run.time_s - *parse_utc("2026-01-01T00:00:00Z")) / 86400;
    if ((node % 3 == 0 && day < 50) || (node % 7 == 0 && day % 4 != 0)) return;
    history.add(run);
  });
  history.sort();
  EXPECT_TRUE(analyse(history).events.empty());
}

TEST(History, ARunIsCountedOnce) {
  History history;
  const HistoryRun run{.id = "a",
                       .time_s = 0,
                       .node = "n",
                       .stratum = "",
                       .versions = {},
                       .readings = {{"", -1, "m", "gb_s", 1}}};
  EXPECT_TRUE(history.add(run));
  EXPECT_FALSE(history.add(run));
  EXPECT_EQ(history.runs(), 1u);
  EXPECT_EQ(decide(analyse(history)), Decision::inconclusive) << "one run has nothing to be compared with";
}

TEST(History, TakesReadingsOutOfAReport) {
  const Report report = test::sick_report();
  const auto run = history_run(report);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->node, "gpu-a+gpu-b");
  EXPECT_EQ(run->stratum, "8 x NVIDIA H100 80GB HBM3 · nccl · 2 nodes");
  EXPECT_EQ(run->versions.at("firmware"), "28.43.2566");
  EXPECT_EQ(run->readings.size(), report.series.size() + report.figures.rails.size());
  EXPECT_EQ(run->readings.back().node, "gpu-b");
  EXPECT_EQ(run->readings.back().rail, 3);
  Report strange = report;
  strange.run.started = "yesterday";
  std::string why;
  EXPECT_FALSE(history_run(strange, &why));
  EXPECT_FALSE(why.empty());
}

// ---- files ----

class Files : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "mlc-history-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  std::size_t read(std::vector<std::string>& left_out) {
    std::size_t runs = 0;
    read_runs(report_files({folder_}, left_out), left_out,
              [&](std::vector<HistoryRun>&& batch) { runs += batch.size(); });
    return runs;
  }
  std::filesystem::path folder_;
};

TEST_F(Files, DamagedAndForeignOnesAreNamedAndLeftOut) {
  const std::string good = to_json(test::healthy_report());
  write("good.json", good);
  write("deeper/also good.json", good);
  write("notes.txt", "not looked at");
  std::vector<std::string> bad{
      "empty", "cut",      "binary",     "html",      "array", "other schema", "schema is a number",
      "deep",  "no start", "wrong type", "only brace"};
  write("empty.json", "");
  write("cut.json", good.substr(0, good.size() / 2));
  write("binary.json", std::string("\0\x01\xff\xfe{", 5));
  write("html.json", "<!DOCTYPE html><html></html>");
  write("array.json", "[1,2,3]");
  write("other schema.json", R"({"schema":"someone/else/v1"})");
  write("schema is a number.json", R"({"schema":1})");
  write("deep.json", std::string(200'000, '[') + std::string(200'000, ']'));
  Report odd = test::healthy_report();
  odd.run.started = "yesterday";
  write("no start.json", to_json(odd));
  std::string wrong_type = good;
  wrong_type.replace(wrong_type.find("\"series\": ["), 11, "\"series\": 7, \"x\": [");
  write("wrong type.json", wrong_type);
  write("only brace.json", "{");

  std::vector<std::string> left_out;
  EXPECT_EQ(read(left_out), 2u);
  EXPECT_EQ(left_out.size(), bad.size());
  for (const auto& name : bad)
    EXPECT_EQ(
        std::count_if(left_out.begin(), left_out.end(),
                      [&](const auto& line) { return line.find(name + ".json: ") != std::string::npos; }),
        1)
        << name;
}

TEST_F(Files, EveryTruncationIsSurvived) {
  const std::string good = to_json(test::hostile_report("x"));
  for (std::size_t length = 0; length < good.size() - 2; length += 37)
    EXPECT_THROW((void)report_from_json(good.substr(0, length)), ReportError) << length;
}

TEST_F(Files, EveryFlippedByteIsSurvived) {
  const std::string good = to_json(test::hostile_report("x"));
  for (std::size_t at = 0; at < good.size(); at += 5) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x15);
    try {
      if (const auto run = history_run(report_from_json(bad))) {
        History history;
        history.add(*run);
        history.sort();
        (void)analyse(history);
      }
    } catch (const ReportError&) {
    }
  }
}

TEST_F(Files, AGiganticFileIsNotRead) {
  // Sparse: it takes no room on the disk and would take 300 GB of memory.
  write("giant.json", "{");
  std::filesystem::resize_file(folder_ / "giant.json", 300ull << 30);
  std::vector<std::string> left_out;
  EXPECT_EQ(read(left_out), 0u);
  ASSERT_EQ(left_out.size(), 1u);
  EXPECT_THAT(left_out[0], HasSubstr("larger than 64 MiB"));
}

TEST_F(Files, APipeAndALoopDoNotHangIt) {
  ASSERT_EQ(::mkfifo((folder_ / "pipe.json").c_str(), 0600), 0);
  std::filesystem::create_directory_symlink(folder_, folder_ / "loop");
  std::filesystem::create_symlink("nowhere", folder_ / "dangling.json");
  write("good.json", to_json(test::healthy_report()));
  std::filesystem::create_symlink("good.json", folder_ / "link.json");  // as ConfigMaps are mounted
  std::vector<std::string> left_out;
  EXPECT_EQ(read(left_out), 2u);
  EXPECT_EQ(left_out.size(), 2u);
}

TEST_F(Files, WhatIsNotThereIsNamed) {
  std::vector<std::string> left_out;
  EXPECT_TRUE(report_files({folder_ / "none"}, left_out).empty());
  ASSERT_EQ(left_out.size(), 1u);
  EXPECT_THAT(left_out[0], HasSubstr("there is no such file or folder"));
}

TEST_F(Files, MoreThanABatchKeepsItsOrder) {
  Report report;
  for (int i = 0; i < 1100; ++i) {
    report.run = {.id = std::to_string(i), .command = {}, .started = "2026-01-05T03:00:00Z"};
    write(std::to_string(10000 + i) + ".json", to_json(report));
  }
  std::vector<std::string> left_out;
  int next = 0;
  read_runs(report_files({folder_}, left_out), left_out, [&](std::vector<HistoryRun>&& runs) {
    for (const auto& run : runs)
      EXPECT_EQ(run.id, std::to_string(next++));
  });
  EXPECT_EQ(next, 1100);
}

}  // namespace
}  // namespace mlc
