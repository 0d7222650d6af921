#include "bench/burnin/run_pruning.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "validators/host/file_descriptor.hpp"

namespace mlc {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr double day_s = 86400;

TEST(RunPruning, ByAge) {
  const KeepRuns keep{.age_s = 10 * day_s, .bytes = 1000, .newest = 1};
  EXPECT_THAT(runs_to_prune({{"a", 11 * day_s, 1}, {"b", 9 * day_s, 1}, {"c", 12 * day_s, 1}}, "", keep),
              ElementsAre("a", "c"));
}

TEST(RunPruning, BySizeTheOldestGoFirst) {
  const KeepRuns keep{.age_s = 1e9, .bytes = 100, .newest = 1};
  EXPECT_THAT(runs_to_prune({{"old", 3, 50}, {"mid", 2, 50}, {"new", 1, 50}}, "", keep), ElementsAre("old"));
  EXPECT_THAT(runs_to_prune({{"big", 1, 5000}, {"small", 2, 1}}, "", keep), ElementsAre("small"))
      << "the last run stays, however large, and takes the room of the rest";
}

TEST(RunPruning, TheNewestAndTheCurrentStay) {
  const KeepRuns keep{.age_s = 1, .bytes = 1, .newest = 2};
  EXPECT_THAT(runs_to_prune({{"a", 50, 9}, {"b", 40, 9}, {"c", 30, 9}, {"now", 90, 9}}, "now", keep),
              ElementsAre("a"));
  EXPECT_THAT(runs_to_prune({}, "now", keep), IsEmpty());
  // A clock that was set back: written in what is now the future.
  EXPECT_THAT(runs_to_prune({{"a", -5 * day_s, 0}, {"b", 40, 0}, {"c", 30, 0}}, "", keep), ElementsAre("b"));
}

TEST(RunPruning, RemovesRunsAndNothingElse) {
  namespace fs = std::filesystem;
  const fs::path state = fs::path(testing::TempDir()) / ("prune-" + std::to_string(::getpid()));
  const auto put = [&](const std::string& path) {
    fs::create_directories((state / path).parent_path());
    std::ofstream(state / path) << "x";
  };
  for (const char* run : {"r1", "r2", "r3", "held"})
    put(std::string(run) + "/run.json"), put(std::string(run) + "/lock"), put(std::string(run) + "/a/b.json");
  put("not-a-run/report.json"), put("unpublished-burnin.json"), put("elsewhere.d/keep");
  fs::create_directory_symlink("r1", state / "linked");
  const FileDescriptor held(::open((state / "held/lock").c_str(), O_RDWR));
  ASSERT_EQ(::flock(held.get(), LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(prune_runs(state, "r2", {.age_s = -1e9, .bytes = 0, .newest = 0}), 2u);
  EXPECT_FALSE(fs::exists(state / "r1") || fs::exists(state / "r3"));
  for (const char* kept : {"r2/run.json", "held/a/b.json", "not-a-run/report.json", "unpublished-burnin.json",
                           "elsewhere.d/keep"})
    EXPECT_TRUE(fs::exists(state / kept)) << kept;
  EXPECT_EQ(prune_runs(state / "missing", "", {}), 0u);
  fs::remove_all(state);
}

}  // namespace
}  // namespace mlc
