// Reports from files and folders. A damaged or foreign file is named and left out; it never stops the rest.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "reports/history/history.hpp"

namespace mlc {

// A report is some MB at most; what is larger is something else, and reading it would cost more memory than
// it is worth.
inline constexpr std::size_t largest_report_bytes = 64u << 20;

// The files that `paths` name: a file is itself, a folder is every *.json below it (links to folders are not
// followed). What is neither is named in `left_out`.
std::vector<std::filesystem::path> report_files(const std::vector<std::filesystem::path>& paths,
                                                std::vector<std::string>& left_out);

// Bounds the memory that texts and reports take on their way to a few readings.
inline constexpr std::size_t runs_at_once = 512;

// Reads `files` with a few threads and hands the runs over in the files' order, so many at a time.
void read_runs(const std::vector<std::filesystem::path>& files, std::vector<std::string>& left_out,
               const std::function<void(std::vector<HistoryRun>&&)>& take);

bool is_store_file(const std::filesystem::path& path);  // by SQLite's magic, not by the name

// One file's text. Throws std::runtime_error with the reason: absent, no regular file, too large, unreadable.
std::string read_report_file(const std::filesystem::path& path);

}  // namespace mlc
