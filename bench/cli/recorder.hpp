// The report in the making, on rank 0: prints and saves each series when it is done, and, should the run end
// before its time, an honest report of what there is. Used by the working thread and by the watch.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "bench/cli/launches.hpp"
#include "bench/cli/output_options.hpp"
#include "bench/ranks/watch.hpp"
#include "reports/faces/progress.hpp"
#include "reports/faces/terminal.hpp"
#include "reports/record/exit_code.hpp"
#include "validators/policy/policy.hpp"

namespace mlc {

class Recorder {
 public:
  // `directory`: the launcher's, for the checkpoint and the exit code; empty: none. `place`: of several
  // launches, those before are read from where they left their series. Only the last prints.
  Recorder(OutputOptions options, Policy policy, Report report, std::string directory,
           LaunchPlace place = {});

  void environment(Environment environment, int ranks);          // once it is known
  void plan(std::size_t series) { planned_ = series; }           // of each launch, for those who wait
  void heading(const TableHead& head, const std::string& what);  // prints it, with the CSV header
  void add(const Series& series);                                // of this launch, in the same order in each
  void next_launch();                                            // in the same process
  // What is no series: `change` writes it into the report, which is then saved as after a series.
  void record(const std::function<void(Report&)>& change);
  void live(const std::string& text);
  // Why the run as a whole cannot be believed: it goes on, and its verdict will be inconclusive.
  void doubt(const std::string& why);
  void note(const std::string& warning);  // to stderr
  // Verdict, final faces; throws if they cannot be written. Before the last launch: hands its series on.
  ExitCode finish();
  ExitCode end(const Ending& ending);  // the run ends early

 private:
  void take_earlier();
  bool streams_table() const;  // of series, as they come
  void print_heading();
  void print_row();  // the next
  void hand_on() const;
  void checkpoint();
  ExitCode conclude();
  void to_stdout(const std::string& text);
  void seconds_now();

  std::mutex mutex_;
  OutputOptions options_;
  Policy policy_;
  Report report_;
  std::string directory_;
  Style style_;
  std::string stdout_format_;
  Progress progress_;
  std::size_t planned_ = 0;  // series of each launch; 0: not known
  TableHead head_;
  std::string what_;
  bool headed_ = false, heading_printed_ = false;
  std::size_t rows_printed_ = 0;
  LaunchPlace place_;
  std::vector<std::vector<Series>> earlier_;  // of the launches before this one
  std::vector<Series> own_;                   // of this one
  double earlier_s_ = 0;                      // that launches in other processes took
  double started_ = 0, last_checkpoint_ = 0, checkpoint_cost_ = 0;
};

// What every run's record begins with: tool, run, environment variables, the policy. `fault`: as it was given
// to --inject.
Report new_report(const Policy& policy, const std::vector<std::string>& arguments,
                  const std::string& backend = "", const std::string& fault = "");

// Unique: node, start and a random part.
std::string new_run_id(const std::string& node, const std::string& started);

}  // namespace mlc
