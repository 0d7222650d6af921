#include "bench/burnin/run_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "reports/history/history_files.hpp"
#include "reports/record/exit_code.hpp"
#include "reports/record/json.hpp"
#include "reports/record/json_reader.hpp"
#include "reports/record/moment.hpp"
#include "reports/record/text.hpp"
#include "reports/record/usage_error.hpp"
#include "validators/host/clock.hpp"
#include "validators/host/own_directory.hpp"
#include "validators/host/whole_file.hpp"

namespace mlc {

namespace {

constexpr const char* known_mark = "/known";
constexpr int most_beginnings = 1'000'000;
constexpr double most_seconds = 8 * 86400;  // no stage's limit is above a week

bool is_run_id(const std::string& id) {
  return !id.empty() && id.size() <= 100 && id.front() != '.' && std::ranges::all_of(id, [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == ':';
  });
}

std::string id_of(const std::string& run_id, int beginning) {
  return beginning == 1 ? run_id : run_id + ":" + std::to_string(beginning);
}

std::optional<nlohmann::json> json_of(const std::string& path) {
  try {
    require_own_file(path);
    auto json = read_json(read_whole(path, {}));
    if (json.is_object()) return json;
  } catch (const std::exception&) {
  }  // what cannot be read, or others may have written, is measured anew
  return std::nullopt;
}

}  // namespace

RunDirectory::RunDirectory(const std::string& state, const std::string& run_id, const RunKey& key,
                           const std::string& policy_text)
    : key_(key) {
  if (!is_run_id(run_id))
    throw UsageError("--run-id '" + printable(run_id) + "' is no name of a run",
                     "letters, digits, '-', '_', '.' and ':', at most 100 of them");
  path_ = state + "/" + run_id;
  std::error_code error;
  if (const auto parent = std::filesystem::path(state).parent_path(); !parent.empty())
    std::filesystem::create_directories(parent, error);
  if (error)
    throw UsageError("cannot make " + printable(state) + ": " + error.message(),
                     "--state DIR names another place");
  require_own_directory(state);
  require_own_directory(path_);
  lock_ = FileDescriptor(::open((path_ + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock_)
    throw UsageError("cannot write in " + printable(path_) + ": " + std::strerror(errno),
                     "--state DIR names another place");
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0)
    throw std::runtime_error("run " + run_id + " is going on in another process, which holds " +
                             printable(path_) + "/lock");

  attempt_ = "." + std::to_string(std::random_device{}());
  int beginning = 1;
  if (const auto run = json_of(path_ + "/run.json")) {
    const auto was = [&](const char* what) {
      return run->contains(what) && (*run)[what].is_string() ? (*run)[what].get<std::string>() : "";
    };
    begun_anew_ = was("boot_id") != key.boot_id                        ? "in another boot of this machine"
                  : was("policy") != key.policy                        ? "with another policy"
                  : was("program") != key.program                      ? "by another mlc-bench"
                  : was("plan") != key.plan                            ? "with another section of the policy"
                  : std::filesystem::exists(path_ + known_mark, error) ? "and came to a verdict"
                                                                       : "";
    started_ = was("started");
    if (const auto count = run->find("beginning"); count != run->end() && count->is_number_integer())
      beginning = std::clamp(count->get<int>(), 1, most_beginnings);
    id_ = id_of(run_id, beginning);
    if (begun_anew_.empty() && parse_rfc3339(started_)) return;
  }
  if (!begun_anew_.empty()) ++beginning;
  id_ = id_of(run_id, beginning);
  forget();
  // The policy first: a run that is known has its policy.
  write_whole(policy_file(), policy_text);
  started_ = timestamp();
  write_whole(path_ + "/run.json", nlohmann::json{{"started", started_},
                                                  {"beginning", beginning},
                                                  {"boot_id", key.boot_id},
                                                  {"policy", key.policy},
                                                  {"program", key.program},
                                                  {"plan", key.plan}}
                                           .dump() +
                                       "\n");
}

// Everything but the lock, whose holder is us.
void RunDirectory::forget() const {
  for (const auto& entry : std::filesystem::directory_iterator(path_))
    if (entry.path().filename() != "lock") std::filesystem::remove_all(entry.path());
}

std::string RunDirectory::file(const BurninStage& stage, int launch, const std::string& ending) const {
  return path_ + "/" + stage.name + "-" + std::to_string(launch) + ending;
}

std::optional<LaunchRecord> RunDirectory::decided(const BurninStage& stage, int launch) const {
  const auto mark = json_of(file(stage, launch, ".done"));
  if (!mark || !mark->contains("code") || !(*mark)["code"].is_number_integer()) return std::nullopt;
  LaunchRecord record{{.code = (*mark)["code"]}, {}};
  if (record.mark.code != static_cast<int>(ExitCode::pass) &&
      record.mark.code != static_cast<int>(ExitCode::fail))
    return std::nullopt;
  try {
    record.mark.seconds = mark->at("seconds");
    if (!(record.mark.seconds >= 0 && record.mark.seconds <= most_seconds)) return std::nullopt;
    if (mark->at("command") != nlohmann::json(stage.command)) return std::nullopt;
    const auto name = mark->at("report").get<std::string>();
    // A name that this class gave, and no way out of the folder.
    if (name.find('/') != std::string::npos ||
        !name.starts_with(std::filesystem::path(file(stage, launch, ".")).filename().string()))
      return std::nullopt;
    require_own_file(path_ + "/" + name);
    record.report = report_from_json(read_report_file(path_ + "/" + name));
  } catch (const std::exception&) {
    return std::nullopt;
  }
  // A report that this run's own stage did not make: of another policy, or of another boot.
  const auto& nodes = record.report.environment.nodes;
  const bool foreign = std::ranges::any_of(
      nodes, [&](const Node& node) { return !node.boot_id.empty() && node.boot_id != key_.boot_id; });
  if (record.report.run.policy_digest != key_.policy || (nodes.size() == 1 && foreign)) return std::nullopt;
  return record;
}

void RunDirectory::verdict_is_known() const { write_whole(path_ + known_mark, ""); }

std::string RunDirectory::stage_report(const BurninStage& stage, int launch) const {
  return file(stage, launch, attempt_ + ".json");
}

std::string RunDirectory::stage_log(const BurninStage& stage, int launch) const {
  return file(stage, launch, attempt_ + ".log");
}

void RunDirectory::mark(const BurninStage& stage, int launch, const LaunchMark& mark) const {
  const nlohmann::json done{
      {"command", stage.command},
      {"code", mark.code},
      {"seconds", mark.seconds},
      {"report", std::filesystem::path(stage_report(stage, launch)).filename().string()}};
  write_whole(file(stage, launch, ".done"), done.dump() + "\n");
}

}  // namespace mlc
