// Programs started from here that end with us, however we end.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

namespace mlc {

// Starts `command` in a process group of its own, so that Ctrl-C comes to us alone. It is told to terminate
// when this process dies. `environment` is added to ours. `output`: a file descriptor for its stdout and
// stderr, or -1 for ours. Throws std::system_error if it cannot be started. This process must have one
// thread.
pid_t spawn(const std::vector<std::string>& command,
            const std::vector<std::pair<std::string, std::string>>& environment, int output = -1);

// From now on what a child leaves behind becomes a child of ours.
void adopt_orphans();

// Ends all of them. Call when the child itself has been waited for.
void end_orphans();

}  // namespace mlc
