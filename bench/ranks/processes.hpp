// Ranks of this node as plain processes, without mpirun: copies of this program that inherit the descriptor
// of the memory they meet in (bench/backends/local.hpp).
#pragma once

#include <string>
#include <vector>

#include "bench/ranks/launcher.hpp"

namespace mlc {

// What such a rank finds in its environment, beside ranks_variable and job_variable.
inline constexpr const char* local_rank_variable = "MLC_LOCAL_RANK";
inline constexpr const char* segment_variable = "MLC_SEGMENT";  // the descriptor

struct ProcessRequest {
  std::string program;                 // absolute path of this program
  std::vector<std::string> arguments;  // as typed, without the program
  int ranks = 1;
  int segment = -1;       // descriptor, inherited
  Variables environment;  // added to ours
};

// Runs the ranks to their end. When one has ended before its time, the others have a few seconds to say so
// and are then ended. Signals must be blocked (ranks/watch.hpp). Throws std::system_error if a rank cannot be
// started; those that were are then ended.
LaunchResult launch_processes(const ProcessRequest& request, const std::string& terminal);

}  // namespace mlc
