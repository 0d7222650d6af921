#include "bench/cli/recorder.hpp"

#include <cstdio>
#include <random>

#include "bench/backends/backends.hpp"
#include "bench/cli/node_facts.hpp"
#include "reports/faces/csv.hpp"
#include "reports/faces/findings_text.hpp"
#include "reports/faces/rails_text.hpp"
#include "reports/record/json.hpp"
#include "reports/record/text.hpp"
#include "validators/deciding/decide.hpp"
#include "validators/host/clock.hpp"
#include "validators/host/whole_file.hpp"

namespace mlc {

namespace {

double now() { return SteadyClock().now(); }

}  // namespace

std::string new_run_id(const std::string& node, const std::string& started) {
  return node + "-" + started + "-" + std::to_string(std::random_device{}() % 1'000'000);
}

Report new_report(const Policy& policy, const std::vector<std::string>& arguments, const std::string& backend,
                  const std::string& fault) {
  Report report;
  report.tool.version = MLC_VERSION;
  for (const auto& each : all_backends())
    if (each.name != "loopback" && each.name != "shm")
      report.tool.built[each.name] = each.absent.empty() ? each.version : "absent: " + each.absent;
  report.run.started = timestamp();
  report.run.id = new_run_id(node_name(), report.run.started);
  report.run.command = arguments;
  report.run.command.insert(report.run.command.begin(), "mlc-bench");
  report.run.backend = backend;
  report.run.policy = policy.name, report.run.policy_digest = policy.digest;
  report.run.fault = fault;
  report.figures.policy = PolicyText{policy.name, policy.about, policy.source, policy.text};
  report.environment.variables = telling_variables();
  return report;
}

Recorder::Recorder(OutputOptions options, Policy policy, Report report, std::string directory)
    : options_(std::move(options)),
      policy_(std::move(policy)),
      report_(std::move(report)),
      directory_(std::move(directory)),
      style_(options_.style()),
      // With a file to write to, a person at the terminal still sees the table.
      stdout_format_(options_.to_file() ? "text" : options_.chosen()),
      progress_(options_.live()),
      started_(now()) {}

void Recorder::to_stdout(const std::string& text) {
  if (options_.to_file() && options_.quiet) return;
  progress_.clear();
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void Recorder::seconds_now() { report_.run.duration_s = now() - started_; }

void Recorder::environment(Environment environment, int ranks) {
  const std::lock_guard lock(mutex_);
  report_.run.ranks = ranks, report_.run.nodes = machines_of(environment.nodes);
  report_.environment = std::move(environment);
  // Inside one node nothing crosses the rails.
  if (policy_.target && report_.run.nodes > 1)
    report_.figures.interconnect =
        Interconnect{policy_.target->rails, policy_.target->rail_gbit_s, policy_.target->mtu,
                     policy_.target->gb_s(), policy_.target->ceiling_gb_s()};
}

void Recorder::heading(const TableHead& head, const std::string& what) {
  const std::lock_guard lock(mutex_);
  head_ = head, headed_ = true;
  if (stdout_format_ == "text") to_stdout(table_heading(report_.run, head, what, style_));
  if (stdout_format_ == "csv") to_stdout(csv_header());
}

void Recorder::add(const Series& series) {
  const std::lock_guard lock(mutex_);
  report_.series.push_back(series);
  if (stdout_format_ == "text") to_stdout(table_row(series, head_, style_));
  if (stdout_format_ == "csv") to_stdout(csv_line(series));
  progress_.clear();
  if (!options_.quiet)
    for (const auto& warning : series.warnings)
      std::fprintf(stderr, "%s %s: %s\n", options_.error_style().yellow("warning:").c_str(),
                   bytes_text(series.bytes).c_str(), warning.c_str());
  // Writing everything anew each time must not cost more than a tenth of the run.
  if (now() - last_checkpoint_ >= 10 * checkpoint_cost_) checkpoint();
}

void Recorder::record(const std::function<void(Report&)>& change) {
  const std::lock_guard lock(mutex_);
  change(report_);
  checkpoint();
}

void Recorder::live(const std::string& text) {
  const std::lock_guard lock(mutex_);
  progress_.show(text);
}

void Recorder::note(const std::string& warning) {
  const std::lock_guard lock(mutex_);
  progress_.clear();
  if (!options_.quiet)
    std::fprintf(stderr, "%s %s\n", options_.error_style().yellow("warning:").c_str(), warning.c_str());
}

// What is on disk says of itself that the run is not over, until it is.
void Recorder::checkpoint() {
  const double start = now();
  Report unfinished = report_;
  unfinished.run.duration_s = start - started_;
  unfinished.errors.push_back(
      {.what = "the run had not finished when this was written", .where = {}, .phase = {}, .hint = {}});
  unfinished.verdict = decide(unfinished, policy_);
  try {
    // The launcher's copy first: should this process be killed in between, what the launcher then makes of it
    // must not be less than what is already in the user's file.
    if (!directory_.empty()) write_whole(directory_ + "/report.json", to_json(unfinished));
    if (options_.to_file()) write_whole(options_.output, render(unfinished, options_.chosen(), {}));
  } catch (const std::exception& error) {
    // A full disk must not end the measuring; the final writing fails loudly.
    std::fprintf(stderr, "%s %s\n", options_.error_style().yellow("warning:").c_str(), error.what());
  }
  last_checkpoint_ = now(), checkpoint_cost_ = last_checkpoint_ - start;
}

ExitCode Recorder::conclude() {
  report_.run.duration_s = now() - started_;
  report_.verdict = decide(report_, policy_);
  if (stdout_format_ == "text")
    to_stdout(headed_ ? table_ending(report_, head_, style_)
              : report_.figures.rails.empty()
                  ? (report_.findings.empty() ? std::string() : findings_text(report_, style_))
                  : rails_text(report_, style_) + table_ending(report_, head_, style_) +
                        rail_remedies(report_, style_));
  else if (stdout_format_ != "csv" || !report_.figures.rails.empty())
    to_stdout(render(report_, stdout_format_, style_));
  if (options_.to_file()) write_whole(options_.output, render(report_, options_.chosen(), {}));
  return exit_code_of(report_.verdict.decision);
}

ExitCode Recorder::finish() {
  const std::lock_guard lock(mutex_);
  const ExitCode code = conclude();
  if (!directory_.empty()) write_whole(directory_ + "/exit", std::to_string(static_cast<int>(code)));
  return code;
}

ExitCode Recorder::end(const Ending& ending) {
  // The working thread may hold the lock for ever if it hangs in a write: then what was printed has to do.
  std::unique_lock lock(mutex_, std::defer_lock);
  for (int i = 0; i < 100 && !lock.try_lock(); ++i) {
    const timespec tick{0, 10'000'000};
    ::nanosleep(&tick, nullptr);
  }
  if (!lock.owns_lock()) return ending.code;
  report_.errors.push_back(ending.error);
  try {
    conclude();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
  }
  std::fputs(error_text(ending.error, options_.error_style()).c_str(), stderr);
  try {
    if (!directory_.empty()) write_whole(directory_ + "/exit", std::to_string(static_cast<int>(ending.code)));
  } catch (const std::exception&) {
  }  // the launcher then takes mpirun's status
  return ending.code;
}

}  // namespace mlc
