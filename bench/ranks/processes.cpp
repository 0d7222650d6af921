#include "bench/ranks/processes.hpp"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "validators/host/child_process.hpp"
#include "validators/host/scratch_directory.hpp"

namespace mlc {

namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

// Rank 0 writes what was measured so far when another rank is gone; so long it may take.
constexpr std::chrono::seconds grace{5};

std::string how_it_ended(int rank, int status) {
  const std::string who = "rank " + std::to_string(rank);
  if (WIFSIGNALED(status))
    return who + " was ended by signal " + std::to_string(WTERMSIG(status)) + " (" +
           ::strsignal(WTERMSIG(status)) + ")";
  return who + " ended with status " + std::to_string(WEXITSTATUS(status));
}

// Ends what is left of the ranks, however this function is left.
class Ranks {
 public:
  Ranks() = default;
  Ranks(const Ranks&) = delete;
  ~Ranks() {
    kill_all(SIGKILL);
    for (const pid_t pid : pids_)
      if (pid > 0) ::waitpid(pid, nullptr, 0);
    end_orphans();
  }
  void add(pid_t pid) { pids_.push_back(pid); }
  void kill_all(int signal) const {
    for (const pid_t pid : pids_)
      if (pid > 0) ::kill(pid, signal);
  }
  bool any() const {
    return std::ranges::any_of(pids_, [](pid_t pid) { return pid > 0; });
  }
  // The rank that has ended, if one has, and how.
  std::optional<std::pair<int, int>> ended() {
    for (std::size_t rank = 0; rank < pids_.size(); ++rank) {
      int status = 0;
      if (pids_[rank] <= 0 || ::waitpid(pids_[rank], &status, WNOHANG) != pids_[rank]) continue;
      pids_[rank] = 0;
      return std::pair(static_cast<int>(rank), status);
    }
    return std::nullopt;
  }

 private:
  std::vector<pid_t> pids_;
};

}  // namespace

LaunchResult launch_processes(const ProcessRequest& request, const std::string& terminal) {
  const ScratchDirectory scratch;
  adopt_orphans();
  std::vector<std::string> command{request.program};
  command.insert(command.end(), request.arguments.begin(), request.arguments.end());
  LaunchResult result;
  {
    Ranks ranks;
    for (int rank = 0; rank < request.ranks; ++rank)
      ranks.add(spawn(command, {{job_variable, scratch.path().filename().string()},
                                {directory_variable, scratch.path().string()},
                                {ranks_variable, std::to_string(request.ranks)},
                                {local_rank_variable, std::to_string(rank)},
                                {segment_variable, std::to_string(request.segment)},
                                {terminal_variable, terminal}}));
    sigset_t signals;
    sigemptyset(&signals);
    for (int signal : {SIGINT, SIGTERM, SIGHUP})
      sigaddset(&signals, signal);
    std::optional<SteadyTime> last_call;
    while (ranks.any()) {
      while (const auto ended = ranks.ended()) {
        const auto [rank, status] = *ended;
        const bool orderly = WIFEXITED(status) && WEXITSTATUS(status) <= 2;  // pass, fail, inconclusive
        if (result.what.empty() || (rank == 0 && !orderly)) result.what = how_it_ended(rank, status);
        if (!orderly && !last_call) last_call = std::chrono::steady_clock::now() + grace;
      }
      if (last_call && std::chrono::steady_clock::now() > *last_call) ranks.kill_all(SIGKILL);
      const timespec tick{0, 20'000'000};
      if (const int signal = ::sigtimedwait(&signals, nullptr, &tick); signal > 0) {
        ranks.kill_all(signal == SIGHUP ? SIGTERM : signal);
        result.interrupted = true;
        if (!last_call) last_call = std::chrono::steady_clock::now() + grace;
      }
    }
  }
  const std::string code = read_file(scratch.path() / "exit");
  if (!code.empty()) result.finished = true, result.code = static_cast<ExitCode>(std::atoi(code.c_str()));
  result.checkpoint = read_file(scratch.path() / "report.json");
  return result;
}

}  // namespace mlc
