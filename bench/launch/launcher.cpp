#include "bench/launch/launcher.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "bench/watch/presence.hpp"
#include "reports/text.hpp"

extern char** environ;

namespace mlc {

std::vector<std::string> mpirun_command(const LaunchRequest& request) {
  std::vector<std::string> command{request.mpirun, "--quiet", "-n", std::to_string(request.ranks)};
  const auto add = [&](std::initializer_list<std::string> words) { command.insert(command.end(), words); };
  if (request.root) add({"--allow-run-as-root"});
  const bool local = request.hosts.empty() && request.hostfile.empty();
  if (!request.hosts.empty()) {
    // Equal shares, rounded up: the first hosts fill first.
    const auto hosts = static_cast<int>(request.hosts.size());
    const int slots = (request.ranks + hosts - 1) / hosts;
    std::string list;
    for (const auto& host : request.hosts)
      list += (list.empty() ? "" : ",") + host + ":" + std::to_string(slots);
    add({"--host", list});
  }
  if (!request.hostfile.empty()) add({"--hostfile", request.hostfile});
  if (local) {
    // More ranks than processors is normal on a laptop: they must then yield, and binding them would only
    // hurt.
    add({"--oversubscribe"});
    if (request.ranks > request.cpus) add({"--bind-to", "none", "--mca", "mpi_yield_when_idle", "1"});
  } else {
    add({"--mca", "orte_startup_timeout", std::to_string(static_cast<int>(request.timeout_s) + 1)});
    for (const auto& name : request.exported)
      add({"-x", name});
  }
  add({request.program});
  command.insert(command.end(), request.arguments.begin(), request.arguments.end());
  return command;
}

namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::stringstream content;
  content << stream.rdbuf();
  return content.str();
}

// A private directory, gone when the run is.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mlc-bench-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
      throw std::system_error(
          errno, std::generic_category(),
          "cannot make a directory in " + std::filesystem::temp_directory_path().string());
    path_ = pattern;
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return "mpirun was ended by signal " + std::to_string(WTERMSIG(status));
  const int code = WEXITSTATUS(status);
  if (code > 128)
    return "mpirun reports that a rank was ended by signal " + std::to_string(code - 128) + " (" +
           ::strsignal(code - 128) + ")";
  return "mpirun ended with status " + std::to_string(code);
}

// The environment of this process with variables added or replaced, as posix_spawn wants it.
class Environment {
 public:
  explicit Environment(const std::vector<std::pair<std::string, std::string>>& added) {
    for (char** at = environ; *at != nullptr; ++at) {
      const std::string_view entry(*at);
      bool replaced = false;
      for (const auto& [name, value] : added)
        replaced = replaced || entry.starts_with(name + "=");
      if (!replaced) entries_.emplace_back(entry);
    }
    for (const auto& [name, value] : added)
      entries_.push_back(name + "=" + value);
    for (auto& entry : entries_)
      pointers_.push_back(entry.data());
    pointers_.push_back(nullptr);
  }
  char** get() { return pointers_.data(); }

 private:
  std::vector<std::string> entries_;
  std::vector<char*> pointers_;
};

pid_t spawn(const std::vector<std::string>& command, Environment& environment) {
  std::vector<std::string> words = command;
  std::vector<char*> pointers;
  for (auto& word : words)
    pointers.push_back(word.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  const int error =
      ::posix_spawnp(&pid, pointers[0], &files, &attributes, pointers.data(), environment.get());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) throw std::system_error(error, std::generic_category(), "cannot start " + command[0]);
  return pid;
}

}  // namespace

LaunchResult launch(const LaunchRequest& request, const std::string& terminal) {
  const ScratchDirectory scratch;
  const std::string job = scratch.path().filename().string();
  Environment environment(
      {{job_variable, job},
       {directory_variable, scratch.path().string()},
       {ranks_variable, std::to_string(request.ranks)},
       {terminal_variable, terminal},
       // mpirun ends the others when a rank dies; five seconds are enough to say what was measured.
       {"OMPI_MCA_odls_base_sigkill_timeout", "5"}});
  const pid_t pid = spawn(mpirun_command(request), environment);

  LaunchResult result;
  const auto start = std::chrono::steady_clock::now();
  bool started = !request.hosts.empty() || !request.hostfile.empty(), gave_up = false;
  int status = 0;
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGINT, SIGTERM, SIGHUP})
    sigaddset(&signals, signal);
  for (;;) {
    const pid_t ended = ::waitpid(pid, &status, WNOHANG);
    if (ended == pid) break;
    siginfo_t info{};
    const timespec tick{0, 50'000'000};
    if (const int signal = ::sigtimedwait(&signals, &info, &tick); signal > 0) {
      // From the terminal mpirun has had it too, and a second one would make it drop the ranks without a
      // word.
      if (info.si_code != SI_KERNEL || result.interrupted) ::kill(pid, signal == SIGHUP ? SIGTERM : signal);
      result.interrupted = true;
    }
    if (started) continue;
    started = !ranks_present(job, request.ranks).empty();
    if (!started &&
        std::chrono::steady_clock::now() - start > std::chrono::duration<double>(request.timeout_s)) {
      gave_up = true, started = true;
      ::kill(pid, SIGKILL);
    }
  }
  const std::string code = read_file(scratch.path() / "exit");
  if (!code.empty()) result.finished = true, result.code = static_cast<ExitCode>(std::atoi(code.c_str()));
  result.what =
      gave_up ? "mpirun started no rank within " + shortest(request.timeout_s) + " s" : how_it_ended(status);
  result.checkpoint = read_file(scratch.path() / "report.json");
  return result;
}

}  // namespace mlc
