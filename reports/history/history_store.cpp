#include "reports/history/history_store.hpp"

#include <sqlite3.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "reports/record/json_reader.hpp"

namespace mlc {

namespace {

constexpr int application_id = 0x6d6c6362;  // "mlcb", in the file's header
constexpr int store_version = 1;
constexpr int busy_ms = 60'000;  // how long a writer waits for another's transaction

constexpr const char* tables = R"sql(
CREATE TABLE versions (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE run (id INTEGER PRIMARY KEY, run TEXT NOT NULL UNIQUE, time_s INTEGER NOT NULL, node TEXT NOT NULL,
                  stratum TEXT NOT NULL, versions INTEGER NOT NULL REFERENCES versions);
CREATE TABLE metric (id INTEGER PRIMARY KEY, node TEXT NOT NULL, rail INTEGER NOT NULL, metric TEXT NOT NULL,
                     unit TEXT NOT NULL, UNIQUE (metric, node, rail, unit));
CREATE TABLE reading (run INTEGER NOT NULL REFERENCES run, ordinal INTEGER NOT NULL, metric INTEGER NOT NULL REFERENCES metric,
                      value REAL NOT NULL, PRIMARY KEY (run, ordinal)) WITHOUT ROWID;
)sql";

struct CloseDatabase {
  void operator()(sqlite3* database) const noexcept { sqlite3_close(database); }
};
struct Finalize {
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

[[noreturn]] void fail(sqlite3* database, const std::string& what) {
  throw std::runtime_error(what + ": " + (database != nullptr ? sqlite3_errmsg(database) : "out of memory"));
}

void execute(sqlite3* database, const char* sql) {
  if (sqlite3_exec(database, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail(database, "the store");
}

// A prepared statement; one row at a time.
class Statement {
 public:
  Statement(sqlite3* database, const char* sql) : database_(database) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(database, sql, -1, &statement, nullptr) != SQLITE_OK) fail(database, "the store");
    statement_.reset(statement);
  }
  Statement& bind(std::int64_t value) { return check(sqlite3_bind_int64(statement_.get(), ++bound_, value)); }
  Statement& bind(double value) { return check(sqlite3_bind_double(statement_.get(), ++bound_, value)); }
  Statement& bind(std::string_view value) {
    return check(sqlite3_bind_text64(statement_.get(), ++bound_, value.data(), value.size(), SQLITE_TRANSIENT,
                                     SQLITE_UTF8));
  }
  bool step() {  // false: no row (any more)
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) fail(database_, "the store");
    return false;
  }
  void reset() {
    sqlite3_reset(statement_.get());
    bound_ = 0;
  }
  void run() {
    while (step()) {
    }
    reset();
  }
  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  double real(int column) const { return sqlite3_column_double(statement_.get(), column); }
  std::string text(int column) const {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
    return bytes == nullptr
               ? std::string()
               : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column)));
  }

 private:
  Statement& check(int code) {
    if (code != SQLITE_OK) fail(database_, "the store");
    return *this;
  }
  sqlite3* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bound_ = 0;
};

std::int64_t one_number(sqlite3* database, const char* sql) {
  Statement statement(database, sql);
  return statement.step() ? statement.integer(0) : 0;
}

// Undone unless committed, also when an exception leaves.
class Transaction {
 public:
  explicit Transaction(sqlite3* database) : database_(database) { execute(database, "BEGIN IMMEDIATE"); }
  ~Transaction() {
    if (database_ != nullptr) sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit() {
    execute(database_, "COMMIT");
    database_ = nullptr;
  }

 private:
  sqlite3* database_;
};

}  // namespace

struct HistoryStore::Connection {
  Database database;
};

bool HistoryStore::built_in() { return true; }

HistoryStore::HistoryStore(const std::filesystem::path& path, Mode mode)
    : connection_(std::make_unique<Connection>()) {
  sqlite3* database = nullptr;
  const int flags = mode == Mode::write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READWRITE;
  // Reading opens for writing too where it may: after a kill the journal left behind must be rolled back
  // first.
  int code = sqlite3_open_v2(path.c_str(), &database, flags, nullptr);
  if (code != SQLITE_OK && mode == Mode::read) {
    sqlite3_close(database);
    code = sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READONLY, nullptr);
  }
  connection_->database.reset(database);
  if (code != SQLITE_OK) fail(database, path.string());
  sqlite3_busy_timeout(database, busy_ms);
  const auto check = [&] {
    if (one_number(database, "PRAGMA application_id") != application_id)
      throw std::runtime_error(path.string() + ": an SQLite file, but not a history of mlc-bench");
    if (one_number(database, "PRAGMA user_version") > store_version)
      throw std::runtime_error(path.string() + ": written by a later mlc-bench");
  };
  try {
    if (mode == Mode::write) {
      // The rollback journal and not WAL: WAL wants shared memory, which network file systems do not have.
      Transaction transaction(database);
      if (one_number(database, "SELECT count(*) FROM sqlite_master") == 0) {
        execute(database, tables);
        execute(database, ("PRAGMA application_id = " + std::to_string(application_id)).c_str());
        execute(database, ("PRAGMA user_version = " + std::to_string(store_version)).c_str());
      }
      check();
      transaction.commit();
    } else {
      check();
    }
  } catch (const std::runtime_error& error) {
    const std::string what = error.what();
    throw std::runtime_error(what.starts_with(path.string()) ? what : path.string() + ": " + what);
  }
}

HistoryStore::~HistoryStore() = default;
HistoryStore::HistoryStore(HistoryStore&&) noexcept = default;
HistoryStore& HistoryStore::operator=(HistoryStore&&) noexcept = default;

std::size_t HistoryStore::add(std::span<const HistoryRun> runs) {
  sqlite3* database = connection_->database.get();
  Transaction transaction(database);
  Statement add_versions(database, "INSERT OR IGNORE INTO versions (text) VALUES (?)");
  Statement add_run(database,
                    "INSERT OR IGNORE INTO run (run, time_s, node, stratum, versions) VALUES (?, ?, ?, ?, "
                    "(SELECT id FROM versions WHERE text = ?))");
  Statement add_metric(database,
                       "INSERT OR IGNORE INTO metric (node, rail, metric, unit) VALUES (?, ?, ?, ?)");
  Statement add_reading(
      database,
      "INSERT INTO reading (run, ordinal, metric, value) VALUES (?, ?, "
      "(SELECT id FROM metric WHERE node = ? AND rail = ? AND metric = ? AND unit = ?), ?)");
  std::size_t added = 0;
  for (const auto& run : runs) {
    const std::string versions =
        nlohmann::json(run.versions).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    add_versions.bind(versions).run();
    add_run.bind(run.id).bind(run.time_s).bind(run.node).bind(run.stratum).bind(versions).run();
    if (sqlite3_changes(database) == 0) continue;  // there already
    const std::int64_t row = sqlite3_last_insert_rowid(database);
    ++added;
    std::int64_t ordinal = 0;
    for (const auto& reading : run.readings) {
      add_metric.bind(reading.node)
          .bind(static_cast<std::int64_t>(reading.rail))
          .bind(reading.metric)
          .bind(reading.unit)
          .run();
      add_reading.bind(row)
          .bind(ordinal++)
          .bind(reading.node)
          .bind(static_cast<std::int64_t>(reading.rail))
          .bind(reading.metric)
          .bind(reading.unit)
          .bind(reading.value)
          .run();
    }
  }
  transaction.commit();
  return added;
}

void HistoryStore::read(History& history) const {
  sqlite3* database = connection_->database.get();
  std::map<std::int64_t, Versions> versions;
  Statement all_versions(database, "SELECT id, text FROM versions");
  while (all_versions.step()) {
    const auto json = read_json_if(all_versions.text(1));
    if (json && json->is_object())
      for (const auto& [what, value] : json->items())
        if (value.is_string()) versions[all_versions.integer(0)][what] = value.get<std::string>();
  }
  std::unordered_map<std::int64_t, HistoryRun::Reading> metrics;
  Statement all_metrics(database, "SELECT id, node, rail, metric, unit FROM metric");
  while (all_metrics.step())
    metrics[all_metrics.integer(0)] = {all_metrics.text(1), static_cast<int>(all_metrics.integer(2)),
                                       all_metrics.text(3), all_metrics.text(4), 0};
  // One pass over both tables in the order of their keys: a transaction would not be seen half.
  Statement rows(database,
                 "SELECT run.id, run.run, run.time_s, run.node, run.stratum, run.versions, reading.metric, "
                 "reading.value "
                 "FROM run LEFT JOIN reading ON reading.run = run.id ORDER BY run.id, reading.ordinal");
  HistoryRun run;
  std::int64_t current = -1;
  while (rows.step()) {
    if (rows.integer(0) != current) {
      if (current >= 0) history.add(run);
      current = rows.integer(0);
      run = {rows.text(1), rows.integer(2), rows.text(3), rows.text(4), versions[rows.integer(5)], {}};
    }
    const auto metric = metrics.find(rows.integer(6));
    if (metric == metrics.end()) continue;
    run.readings.push_back(metric->second);
    run.readings.back().value = rows.real(7);
  }
  if (current >= 0) history.add(run);
}

}  // namespace mlc
