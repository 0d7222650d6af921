#include "bench/cli/recorder.hpp"

#include <cstdio>
#include <random>

#include "bench/backends/backends.hpp"
#include "bench/cli/node_facts.hpp"
#include "reports/faces/csv.hpp"
#include "reports/faces/findings_text.hpp"
#include "reports/faces/json_lines.hpp"
#include "reports/faces/rails_text.hpp"
#include "reports/history/history_files.hpp"
#include "reports/history/launches.hpp"
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
  report.figures.policy = PolicyText{policy.name,
                                     policy.about,
                                     policy.source,
                                     policy.text,
                                     policy.admit.valid_for_s,
                                     policy.admit.extended_for_s};
  report.environment.variables = telling_variables();
  return report;
}

Recorder::Recorder(OutputOptions options, Policy policy, Report report, std::string directory,
                   LaunchPlace place)
    : options_(std::move(options)),
      policy_(std::move(policy)),
      report_(std::move(report)),
      directory_(std::move(directory)),
      style_(options_.style()),
      // With a file to write to, a person at the terminal still sees the table.
      stdout_format_(options_.to_file() ? "text" : options_.chosen()),
      progress_(options_.progress_as()),
      place_(std::move(place)),
      started_(now()) {
  if (!place_.directory.empty()) take_earlier();
}

void Recorder::take_earlier() {
  for (int launch = 1; launch < place_.number; ++launch) {
    const Report before = report_from_json(read_report_file(place_.file(launch)));
    if (launch == 1) report_.run.started = before.run.started, report_.run.id = before.run.id;
    earlier_s_ += before.run.duration_s;
    earlier_.push_back(before.series);
  }
  if (!earlier_.empty()) report_.series = joined(earlier_, place_.renewed);
}

void Recorder::next_launch() {
  const std::lock_guard lock(mutex_);
  earlier_.push_back(std::move(own_));
  own_.clear(), ++place_.number;
}

void Recorder::to_stdout(const std::string& text) {
  if (options_.to_file() && options_.quiet) return;
  progress_.clear();
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void Recorder::seconds_now() { report_.run.duration_s = earlier_s_ + now() - started_; }

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
  head_ = head, what_ = what, headed_ = true;
  if (place_.of > 1) what_ += " · " + std::to_string(place_.of) + " launches";
  if (place_.last()) print_heading();
}

bool Recorder::streams_table() const {
  return stdout_format_ == "csv" && (options_.table.empty() || options_.table == "series");
}

void Recorder::print_heading() {
  if (heading_printed_ || !headed_) return;
  heading_printed_ = true;
  if (stdout_format_ == "text") to_stdout(table_heading(report_.run, head_, what_, style_));
  if (streams_table()) to_stdout(csv_header());
  if (stdout_format_ == "jsonl") to_stdout(json_lines_beginning(report_));
}

void Recorder::print_row() {
  const Series& series = report_.series[rows_printed_++];
  if (stdout_format_ == "text") to_stdout(table_row(series, head_, style_));
  if (streams_table()) to_stdout(csv_line(report_.run, series));
  if (stdout_format_ == "jsonl") to_stdout(json_line(series));
  progress_.clear();
  if (!options_.quiet)
    for (const auto& warning : series.warnings)
      std::fprintf(stderr, "%s %s: %s\n", options_.error_style().yellow("warning:").c_str(),
                   bytes_text(series.bytes).c_str(), warning.c_str());
}

void Recorder::add(const Series& series) {
  const std::lock_guard lock(mutex_);
  const std::size_t at = own_.size();
  own_.push_back(series);
  std::vector<Series> launches;
  for (const auto& launch : earlier_)
    if (at < launch.size()) launches.push_back(launch[at]);
  launches.push_back(series);
  if (at >= report_.series.size()) report_.series.emplace_back();
  report_.series[at] = joined(launches, place_.renewed);
  if (place_.last()) print_row();
  // Writing everything anew each time must not cost more than a tenth of the run.
  if (now() - last_checkpoint_ >= 10 * checkpoint_cost_) checkpoint();
}

void Recorder::record(const std::function<void(Report&)>& change) {
  const std::lock_guard lock(mutex_);
  change(report_);
  checkpoint();
}

void Recorder::doubt(const std::string& why) {
  note(why);
  record(
      [&](Report& report) { report.errors.push_back({.what = why, .where = {}, .phase = {}, .hint = {}}); });
}

void Recorder::live(const std::string& text) {
  const std::lock_guard lock(mutex_);
  std::string where;
  if (place_.of > 1)
    where = "launch " + std::to_string(place_.number) + " of " + std::to_string(place_.of) + "  ";
  if (planned_ > 0) {
    const auto before = planned_ * static_cast<std::size_t>(place_.number - 1);
    where += done_text(before + own_.size(), planned_ * static_cast<std::size_t>(place_.of),
                       earlier_s_ + now() - started_) +
             "  ";
  }
  progress_.show(where + text);
}

void Recorder::note(const std::string& warning) {
  const std::lock_guard lock(mutex_);
  progress_.clear();
  if (!options_.quiet && place_.number == 1)
    std::fprintf(stderr, "%s %s\n", options_.error_style().yellow("warning:").c_str(), warning.c_str());
}

// What is on disk says of itself that the run is not over, until it is.
void Recorder::checkpoint() {
  const double start = now();
  Report unfinished = report_;
  unfinished.run.duration_s = earlier_s_ + start - started_;
  unfinished.errors.push_back(
      {.what = "the run had not finished when this was written", .where = {}, .phase = {}, .hint = {}});
  unfinished.verdict = decide(unfinished, policy_);
  try {
    // The launcher's copy first: should this process be killed in between, what the launcher then makes of it
    // must not be less than what is already in the user's file.
    if (!directory_.empty()) write_whole(directory_ + "/report.json", to_json(unfinished));
    if (options_.to_file())
      write_whole(options_.output, render(unfinished, options_.chosen(), options_.file_style()));
  } catch (const std::exception& error) {
    // A full disk must not end the measuring; the final writing fails loudly.
    std::fprintf(stderr, "%s %s\n", options_.error_style().yellow("warning:").c_str(), error.what());
  }
  last_checkpoint_ = now(), checkpoint_cost_ = last_checkpoint_ - start;
}

ExitCode Recorder::conclude() {
  seconds_now();
  if (headed_) {
    print_heading();  // where it ends before the last launch
    while (rows_printed_ < report_.series.size())
      print_row();
  }
  report_.verdict = decide(report_, policy_);
  if (stdout_format_ == "text")
    to_stdout(headed_ ? table_ending(report_, head_, style_)
              : report_.figures.rails.empty()
                  ? (report_.findings.empty() ? std::string() : findings_text(report_, style_))
                  : rails_text(report_, style_) + table_ending(report_, head_, style_) +
                        rail_remedies(report_, style_));
  else if (headed_ && stdout_format_ == "jsonl")
    to_stdout(json_lines_ending(report_));
  else if (!headed_ || !streams_table())
    to_stdout(render(report_, stdout_format_, style_));
  if (options_.to_file())
    write_whole(options_.output, render(report_, options_.chosen(), options_.file_style()));
  return exit_code_of(report_.verdict.decision);
}

void Recorder::hand_on() const {
  if (place_.directory.empty()) return;  // it goes on in this process
  Report mine = report_;
  mine.series = own_, mine.run.duration_s = now() - started_;
  write_whole(place_.file(place_.number), to_json(mine));
}

ExitCode Recorder::finish() {
  const std::lock_guard lock(mutex_);
  if (!place_.last()) hand_on();
  const ExitCode code = place_.last() ? conclude() : ExitCode::pass;
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
  progress_.end();
  report_.errors.push_back(ending.error);
  // What failed by then stands, whatever became of the tool after it; of a clock that lies nothing does.
  ExitCode code = ending.code;
  try {
    if (conclude() == ExitCode::fail && code == ExitCode::tool) code = ExitCode::fail;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
  }
  std::fputs(error_text(ending.error, options_.error_style()).c_str(), stderr);
  try {
    if (!directory_.empty()) write_whole(directory_ + "/exit", std::to_string(static_cast<int>(code)));
  } catch (const std::exception&) {
  }  // the launcher then takes mpirun's status
  return code;
}

}  // namespace mlc
