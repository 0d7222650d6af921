#include "reports/history/history_files.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <thread>

#include "reports/record/json.hpp"
#include "reports/record/text.hpp"
#include "validators/host/whole_file.hpp"

namespace mlc {

namespace fs = std::filesystem;

std::vector<fs::path> report_files(const std::vector<fs::path>& paths, std::vector<std::string>& left_out) {
  std::vector<fs::path> files;
  for (const auto& path : paths) {
    std::error_code error;
    const auto status = fs::status(path, error);
    if (!fs::exists(status)) {
      left_out.push_back(
          path.string() + ": " +
          (error && error.value() != ENOENT ? error.message() : "there is no such file or folder"));
    } else if (fs::is_directory(status)) {
      const std::size_t first = files.size();
      // By hand and not in a range-for: an unreadable folder in the middle ends neither the walk nor the
      // program.
      for (fs::recursive_directory_iterator at(path, fs::directory_options::skip_permission_denied, error),
           end;
           !error && at != end; at.increment(error)) {
        std::error_code ignored;
        if (at->path().extension() == ".json" && !at->is_directory(ignored)) files.push_back(at->path());
      }
      if (error) left_out.push_back(path.string() + ": " + error.message());
      std::sort(files.begin() + static_cast<std::ptrdiff_t>(first), files.end());
    } else {
      files.push_back(path);
    }
  }
  return files;
}

bool is_store_file(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return false;
  constexpr std::string_view magic("SQLite format 3\0", 16);
  // A file of /proc has no size, and reading it can wait.
  if (fs::file_size(path, error) < magic.size() || error) return false;
  std::string head(magic.size(), '\0');
  std::ifstream file(path, std::ios::binary);
  return file.read(head.data(), static_cast<std::streamsize>(head.size())) && head == magic;
}

std::string read_report_file(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error))
    throw std::runtime_error(error && error.value() != ENOENT ? error.message() : "there is no such file");
  return read_whole(path.string(), {.bytes = largest_report_bytes, .seconds = 60});
}

namespace {

struct FileResult {
  std::optional<HistoryRun> run;
  std::string why;
};

FileResult read_one(const fs::path& path) {
  FileResult result;
  try {
    result.run = history_run(report_from_json(read_report_file(path)), &result.why);
  } catch (const std::bad_alloc&) {
    result.why = "too large for this machine's memory";
  } catch (const std::exception& error) {
    result.why = error.what();
  }
  return result;
}

}  // namespace

void read_runs(const std::vector<fs::path>& files, std::vector<std::string>& left_out,
               const std::function<void(std::vector<HistoryRun>&&)>& take) {
  const std::size_t threads = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 8);
  for (std::size_t first = 0; first < files.size(); first += runs_at_once) {
    const std::size_t count = std::min(runs_at_once, files.size() - first);
    std::vector<FileResult> results(count);
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
      for (std::size_t i = next++; i < count; i = next++)
        results[i] = read_one(files[first + i]);
    };
    std::vector<std::jthread> workers;
    for (std::size_t i = 1; i < std::min(threads, count); ++i)
      workers.emplace_back(work);
    work();
    workers.clear();  // joins
    std::vector<HistoryRun> runs;
    for (std::size_t i = 0; i < count; ++i) {
      if (results[i].run)
        runs.push_back(std::move(*results[i].run));
      else
        left_out.push_back(files[first + i].string() + ": " + results[i].why);
    }
    take(std::move(runs));
  }
}

}  // namespace mlc
