#include "validators/host/child_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "validators/host/file_descriptor.hpp"

namespace mlc {

namespace {

pid_t spawn(const std::vector<std::string>& command,
            const std::vector<std::pair<std::string, std::string>>& environment, int output) {
  std::vector<std::string> words = command;
  std::vector<char*> pointers;
  for (auto& word : words)
    pointers.push_back(word.data());
  pointers.push_back(nullptr);
  int failure[2];
  if (::pipe2(failure, O_CLOEXEC) != 0)
    throw std::system_error(errno, std::generic_category(), "cannot start " + command[0]);
  const FileDescriptor read_end(failure[0]);
  FileDescriptor write_end(failure[1]);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::setpgid(0, 0);  // a launch given up ends with all that it started here
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(127);
    for (const auto& [name, value] : environment)
      ::setenv(name.c_str(), value.c_str(), 1);
    const int null = ::open("/dev/null", O_RDONLY);
    if (null >= 0) ::dup2(null, STDIN_FILENO);
    if (output >= 0) ::dup2(output, STDOUT_FILENO), ::dup2(output, STDERR_FILENO);
    ::execvp(pointers[0], pointers.data());
    const int error = errno;
    (void)!::write(failure[1], &error, sizeof error);
    ::_exit(127);
  }
  write_end = FileDescriptor();
  int error = pid < 0 ? errno : 0;
  if (pid > 0 && ::read(read_end.get(), &error, sizeof error) == sizeof error) ::waitpid(pid, nullptr, 0);
  if (error != 0) throw std::system_error(error, std::generic_category(), "cannot start " + command[0]);
  return pid;
}

// Children of children came to us when theirs ended; each that is ended hands over its own.
void end_orphans() {
  for (int round = 0; round < 100; ++round) {
    std::ifstream children("/proc/thread-self/children");
    bool any = false;
    for (pid_t child = 0; children >> child; any = true) {
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
    }
    if (!any) return;
  }
}

bool has_entry(pid_t pid, const std::string& entry) {
  std::ifstream environment("/proc/" + std::to_string(pid) + "/environ");
  for (std::string one; std::getline(environment, one, '\0');)
    if (one == entry) return true;
  return false;
}

bool signal_any_below(pid_t above, int number, const std::string& entry) {
  bool any = false;
  std::error_code ended;  // it may end while it is looked at: a plain loop would throw
  const std::filesystem::directory_iterator last;
  for (std::filesystem::directory_iterator task("/proc/" + std::to_string(above) + "/task", ended);
       !ended && task != last; task.increment(ended)) {
    std::ifstream children(task->path() / "children");
    for (pid_t child = 0; children >> child;)
      any |= has_entry(child, entry) ? ::kill(child, number) == 0 : signal_any_below(child, number, entry);
  }
  return any;
}

}  // namespace

std::string ChildEnd::text() const {
  return signal > 0 ? "was ended by signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ")"
                    : "ended with status " + std::to_string(code);
}

Children::Children() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  // A child's end then ends a wait at once.
  sigset_t ends;
  sigemptyset(&ends), sigaddset(&ends, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &ends, nullptr);
}

Children::~Children() { end(); }

void Children::end() {
  for (pid_t& pid : pids_)
    if (pid > 0) ::kill(-pid, SIGKILL), ::waitpid(pid, nullptr, 0), pid = 0;
  left_ = 0;
  end_orphans();
}

void Children::start(const std::vector<std::string>& command,
                     const std::vector<std::pair<std::string, std::string>>& environment, int output) {
  pids_.push_back(spawn(command, environment, output));
  ++left_;
}

std::optional<ChildEnd> Children::ended() {
  for (std::size_t child = 0; child < pids_.size(); ++child) {
    int status = 0;
    if (pids_[child] <= 0 || ::waitpid(pids_[child], &status, WNOHANG) != pids_[child]) continue;
    pids_[child] = 0, --left_;
    const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return ChildEnd{child, signal > 0 ? 128 + signal : WEXITSTATUS(status), signal};
  }
  return std::nullopt;
}

void Children::signal(int number) const {
  for (const pid_t pid : pids_)
    if (pid > 0) ::kill(pid, number);
}

bool Children::signal_below(int number, const std::string& entry) const {
  bool any = false;
  for (const pid_t pid : pids_)
    if (pid > 0) any |= signal_any_below(pid, number, entry);
  return any;
}

int Children::wait(double seconds) const {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD})
    sigaddset(&signals, signal);
  const auto whole = static_cast<time_t>(seconds);
  const timespec most{whole, static_cast<long>((seconds - static_cast<double>(whole)) * 1e9)};
  const int signal = ::sigtimedwait(&signals, nullptr, &most);
  return signal == SIGHUP ? SIGTERM : signal < 0 || signal == SIGCHLD ? 0 : signal;
}

}  // namespace mlc
