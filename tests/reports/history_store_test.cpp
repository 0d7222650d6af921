#include "reports/history/history_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "reports/history/history_files.hpp"
#include "tests/reports/sample_history.hpp"

namespace mlc {
namespace {

class Store : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "mlc-store-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    path_ = folder_ / "history.db";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static std::vector<HistoryRun> runs(int nodes, int days, std::uint64_t seed = 1) {
    std::vector<HistoryRun> all;
    test::each_run({.nodes = nodes, .days = days, .seed = seed},
                   [&](HistoryRun&& run) { all.push_back(std::move(run)); });
    return all;
  }
  std::size_t stored() const {
    History history;
    HistoryStore(path_, HistoryStore::Mode::read).read(history);
    return history.runs();
  }
  std::string integrity() const {
    sqlite3* database = nullptr;
    std::string answer;
    if (sqlite3_open(path_.c_str(), &database) == SQLITE_OK)
      sqlite3_exec(
          database,
          "PRAGMA integrity_check; SELECT count(*) FROM run LEFT JOIN reading ON reading.run = run.id WHERE "
          "reading.run IS NULL",
          [](void* out, int, char** values, char**) {
            return *static_cast<std::string*>(out) += std::string(values[0]) + " ", 0;
          },
          &answer, nullptr);
    sqlite3_close(database);
    return answer;
  }

  std::filesystem::path folder_, path_;
};

TEST_F(Store, GivesBackWhatWasPutIn) {
  const auto plan = test::eventful_fleet();
  std::vector<HistoryRun> all;
  test::each_run(plan, [&](HistoryRun&& run) { all.push_back(std::move(run)); });
  all[0].readings.push_back({"other node", 3, "metric 'with' \"quotes\"; DROP TABLE run; --", "us", 1.5});
  History direct, stored_history;
  for (const auto& run : all)
    direct.add(run);
  HistoryStore store(path_, HistoryStore::Mode::write);
  EXPECT_EQ(store.add(all), all.size());
  HistoryStore(path_, HistoryStore::Mode::read).read(stored_history);
  direct.sort();
  stored_history.sort();
  EXPECT_EQ(analyse(direct), analyse(stored_history));
  EXPECT_TRUE(is_store_file(path_));
}

TEST_F(Store, TheSameRunsTwiceAreStoredOnce) {
  HistoryStore store(path_, HistoryStore::Mode::write);
  EXPECT_EQ(store.add(runs(5, 4)), 20u);
  EXPECT_EQ(store.add(runs(5, 6)), 10u);
  EXPECT_EQ(stored(), 30u);
  EXPECT_EQ(integrity(), "ok 0 ");
}

TEST_F(Store, TwoWritersAtOnce) {
  constexpr int writers = 4;
  std::vector<pid_t> children;
  for (int writer = 0; writer < writers; ++writer) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      int code = 1;
      try {
        HistoryStore store(path_, HistoryStore::Mode::write);  // all four make the file, too
        auto mine = runs(10, 20);
        for (auto& run : mine)
          if (writer % 2 == 1) run.id += "-" + std::to_string(writer);  // half of them bring the same runs
        for (std::size_t i = 0; i < mine.size(); i += 7)
          store.add(std::span(mine).subspan(i, std::min<std::size_t>(7, mine.size() - i)));
        code = 0;
      } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
      }
      ::_exit(code);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(stored(), 600u);
  EXPECT_EQ(integrity(), "ok 0 ");
}

TEST_F(Store, AKilledWriterLeavesWholeBatches) {
  const auto all = runs(20, 30);
  { HistoryStore(path_, HistoryStore::Mode::write).add(std::span(all).first(1)); }
  std::size_t before = stored();
  for (int round = 0; round < 15; ++round) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      HistoryStore store(path_, HistoryStore::Mode::write);
      for (std::size_t i = 0; i < all.size(); i += 10)
        store.add(std::span(all).subspan(i, 10));
      for (;;)
        ::pause();
    }
    // A different moment each round, from the opening to the middle of the writing.
    ::usleep(static_cast<useconds_t>(500 + round * 1700));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    const std::size_t now = stored();
    EXPECT_EQ(integrity(), "ok 0 ");
    EXPECT_GE(now, before);
    EXPECT_TRUE(now == 1 || now % 10 == 0) << now << ": half a batch";
    before = now;
  }
  EXPECT_EQ(HistoryStore(path_, HistoryStore::Mode::write).add(all), all.size() - before);  // carries on
  EXPECT_EQ(stored(), all.size());
}

TEST_F(Store, AHotJournalIsRolledBackByAReader) {
  const auto all = runs(2, 2);
  { HistoryStore(path_, HistoryStore::Mode::write).add(all); }
  // A writer dies with its transaction open and spilled to the file: the pages are there, the journal too.
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    sqlite3* database = nullptr;
    sqlite3_open(path_.c_str(), &database);
    sqlite3_exec(database,
                 "PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN IMMEDIATE; DELETE FROM reading; "
                 "DELETE FROM run; "
                 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT "
                 "INTO versions (text) SELECT 'junk ' || i || hex(zeroblob(50)) FROM n;",
                 nullptr, nullptr, nullptr);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(std::filesystem::exists(path_.string() + "-journal")) << "the test needs a hot journal";
  EXPECT_EQ(stored(), all.size());
  EXPECT_EQ(integrity(), "ok 0 ");
}

TEST_F(Store, ForeignAndDamagedFilesAreRefused) {
  const auto refused = [&](HistoryStore::Mode mode) {
    try {
      HistoryStore(path_, mode).add(runs(1, 1));
    } catch (const std::runtime_error& error) {
      return std::string(error.what()).starts_with(path_.string());
    }
    return false;
  };
  EXPECT_TRUE(refused(HistoryStore::Mode::read));  // not there
  EXPECT_FALSE(std::filesystem::exists(path_)) << "reading must not make it";

  std::ofstream(path_) << "{\"schema\": \"mlc-bench/report/v1\"} and more than a page of it"
                       << std::string(5000, ' ');
  EXPECT_TRUE(refused(HistoryStore::Mode::write));
  std::filesystem::remove(path_);

  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &database), SQLITE_OK);
  sqlite3_exec(database, "CREATE TABLE bookmarks (url TEXT)", nullptr, nullptr, nullptr);
  sqlite3_close(database);
  EXPECT_TRUE(refused(HistoryStore::Mode::write));
  EXPECT_TRUE(refused(HistoryStore::Mode::read));
  std::filesystem::remove(path_);

  { HistoryStore(path_, HistoryStore::Mode::write).add(runs(3, 3)); }
  ASSERT_EQ(sqlite3_open(path_.c_str(), &database), SQLITE_OK);
  sqlite3_exec(database, "PRAGMA user_version = 99", nullptr, nullptr, nullptr);
  sqlite3_close(database);
  EXPECT_TRUE(refused(HistoryStore::Mode::read));
}

}  // namespace
}  // namespace mlc
