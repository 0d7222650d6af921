#include "bench/burnin/run_pruning.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "validators/host/file_descriptor.hpp"

namespace mlc {

namespace {

namespace fs = std::filesystem;

// Only what a run made: a folder with the record of its beginning.
bool is_run(const fs::directory_entry& entry) {
  std::error_code error;
  return entry.is_directory(error) && !entry.is_symlink(error) &&
         fs::is_regular_file(entry.path() / "run.json", error);
}

KeptRun seen(const fs::directory_entry& entry) {
  KeptRun run{entry.path().filename().string(), 0, 0};
  std::error_code error;
  auto newest = fs::last_write_time(entry.path(), error);
  for (fs::recursive_directory_iterator at(entry.path(), error), end; !error && at != end;
       at.increment(error)) {
    std::error_code ignored;
    if (!at->is_regular_file(ignored)) continue;
    const auto size = at->file_size(ignored);
    if (!ignored) run.bytes += size;
    const auto written = at->last_write_time(ignored);
    if (!ignored) newest = std::max(newest, written);
  }
  run.age_s = std::chrono::duration<double>(fs::file_time_type::clock::now() - newest).count();
  return run;
}

}  // namespace

std::vector<std::string> runs_to_prune(std::vector<KeptRun> runs, const std::string& current,
                                       const KeepRuns& keep) {
  std::ranges::sort(runs, [](const KeptRun& a, const KeptRun& b) {
    return a.age_s != b.age_s ? a.age_s < b.age_s : a.name < b.name;
  });
  std::vector<std::string> pruned;
  std::uint64_t bytes = 0;
  std::size_t others = 0;
  for (const auto& run : runs) {
    const bool stays = run.name == current || others++ < keep.newest;
    const bool fits = run.bytes <= keep.bytes && bytes <= keep.bytes - run.bytes;
    if (!stays && (run.age_s > keep.age_s || !fits)) {
      pruned.push_back(run.name);
      continue;
    }
    bytes = fits ? bytes + run.bytes : std::max(bytes, keep.bytes);
  }
  return pruned;
}

std::size_t prune_runs(const std::string& state, const std::string& current, const KeepRuns& keep) {
  std::vector<KeptRun> runs;
  std::error_code error;
  for (fs::directory_iterator at(state, error), end; !error && at != end; at.increment(error))
    if (is_run(*at)) runs.push_back(seen(*at));
  std::size_t gone = 0;
  for (const auto& name : runs_to_prune(std::move(runs), current, keep)) {
    const fs::path path = fs::path(state) / name;
    const FileDescriptor lock(::open((path / "lock").c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (lock && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) continue;  // at work
    // The record first: what is left of a removal that was broken off is no run that could go on.
    fs::remove(path / "run.json", error);
    fs::remove_all(path, error);
    if (!error) ++gone;
  }
  return gone;
}

}  // namespace mlc
