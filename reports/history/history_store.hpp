// History in one SQLite file, for when a folder of reports grows past comfort. Every batch is one
// transaction: two writers wait for each other, and a writer that is killed leaves what it had committed and
// nothing else. A run is stored once, however often it is imported.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "reports/history/history.hpp"

namespace mlc {

class HistoryStore {
 public:
  enum class Mode { read, write };  // write makes the file if it is not there

  // Throws std::runtime_error: not a store of ours, of a later version, unreadable, or built without SQLite.
  HistoryStore(const std::filesystem::path& path, Mode mode);
  ~HistoryStore();
  HistoryStore(HistoryStore&&) noexcept;
  HistoryStore& operator=(HistoryStore&&) noexcept;

  std::size_t add(std::span<const HistoryRun> runs);  // how many were new
  void read(History& history) const;

  static bool built_in();

 private:
  struct Connection;
  std::unique_ptr<Connection> connection_;
};

}  // namespace mlc
