#include "validators/host/child_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <system_error>

#include "validators/host/file_descriptor.hpp"

namespace mlc {

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

void adopt_orphans() { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }

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

}  // namespace mlc
