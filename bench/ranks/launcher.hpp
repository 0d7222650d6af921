// Typed bare, a command starts its ranks itself: through mpirun, with root, oversubscription and environment
// handled.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "reports/record/exit_code.hpp"

namespace mlc {

using Variables = std::vector<std::pair<std::string, std::string>>;

struct LaunchRequest {
  std::string mpirun;                  // path
  std::string program;                 // absolute path of this program
  std::vector<std::string> arguments;  // as typed, without the program
  int ranks = 1;
  std::vector<std::string> hosts;  // empty: this machine
  std::string hostfile;
  bool root = false;
  int cpus = 1;                       // this process may use
  double timeout_s = 60;              // to start rank 0
  std::vector<std::string> exported;  // names of environment variables to carry to other nodes
  Variables environment;              // added to ours, on this machine
};

// The argument vector for mpirun. Pure.
std::vector<std::string> mpirun_command(const LaunchRequest& request);

// What the launched ranks find in their environment, and leave behind for the launcher.
inline constexpr const char* job_variable = "MLC_JOB";  // the job's name, for presence
inline constexpr const char* directory_variable =
    "MLC_LAUNCH_DIR";                                           // rank 0 keeps report.json and exit there
inline constexpr const char* initialised_file = "initialised";  // there: rank 0 has come through MPI_Init
inline constexpr const char* ranks_variable = "MLC_RANKS";      // how many there must be
inline constexpr const char* launcher_variable =
    "MLC_LAUNCHER";  // where rank 0 tells the launcher that it has started and how it ended
inline constexpr const char* terminal_variable = "MLC_TERMINAL";  // "colour,live" of the launcher's terminal

struct LaunchResult {
  bool finished = false;  // rank 0 said its exit code: `code` is the answer, and everything has been said
  ExitCode code = ExitCode::tool;
  bool interrupted = false;  // the launcher was told to stop
  std::string what;          // otherwise: how mpirun ended
  std::string checkpoint;    // rank 0's last report (JSON), if any
};

// Rank 0 tells the launcher: first of all that mpirun got so far, and at the end with which code. The
// launcher's directory says that, too, but on the launcher's machine only. Does nothing in a run that we did
// not launch.
void tell_launcher(std::optional<ExitCode> ended = std::nullopt);

// Runs mpirun to its end, and gives it up when rank 0 has not started within the deadline. Signals must be
// blocked (ranks/watch.hpp). Throws std::system_error if it cannot be started.
LaunchResult launch(const LaunchRequest& request, const std::string& terminal);

}  // namespace mlc
