#include "bench/ranks/processes.hpp"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>

#include "validators/host/child_process.hpp"
#include "validators/host/scratch_directory.hpp"

namespace mlc {

namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

// Rank 0 writes what was measured so far when another rank is gone; so long it may take.
constexpr std::chrono::seconds grace{5};

}  // namespace

LaunchResult launch_processes(const ProcessRequest& request, const std::string& terminal) {
  const ScratchDirectory scratch;
  std::vector<std::string> command{request.program};
  command.insert(command.end(), request.arguments.begin(), request.arguments.end());
  LaunchResult result;
  Children ranks;
  for (int rank = 0; rank < request.ranks; ++rank) {
    Variables environment{
        {job_variable, scratch.path().filename().string()},  {directory_variable, scratch.path().string()},
        {ranks_variable, std::to_string(request.ranks)},     {local_rank_variable, std::to_string(rank)},
        {segment_variable, std::to_string(request.segment)}, {terminal_variable, terminal}};
    std::ranges::copy(request.environment, std::back_inserter(environment));
    ranks.start(command, environment);
  }
  std::optional<SteadyTime> last_call;
  while (ranks.any()) {
    while (const auto ended = ranks.ended()) {
      const bool orderly = ended->code <= 2;  // pass, fail, inconclusive
      if (result.what.empty() || (ended->child == 0 && !orderly))
        result.what = "rank " + std::to_string(ended->child) + " " + ended->text();
      if (!orderly && !last_call) last_call = std::chrono::steady_clock::now() + grace;
    }
    if (last_call && std::chrono::steady_clock::now() > *last_call) ranks.signal(SIGKILL);
    if (!ranks.any()) break;
    if (const int signal = ranks.wait(last_call ? 0.02 : 0.5); signal > 0) {
      ranks.signal(signal);
      result.interrupted = true;
      if (!last_call) last_call = std::chrono::steady_clock::now() + grace;
    }
  }
  ranks.end();
  const std::string code = read_file(scratch.path() / "exit");
  if (!code.empty()) result.finished = true, result.code = static_cast<ExitCode>(std::atoi(code.c_str()));
  result.checkpoint = read_file(scratch.path() / "report.json");
  return result;
}

}  // namespace mlc
