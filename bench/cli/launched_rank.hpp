// A command that a launcher started as one of several ranks: the session joined, every rank watched, errors
// told by rank 0.
#pragma once

#include <functional>
#include <memory>

#include "bench/backends/session.hpp"
#include "bench/cli/recorder.hpp"
#include "bench/ranks/launched_as.hpp"

namespace mlc {

// This rank cannot go on: what is wrong is told with where it was. Ends the process.
void fail_rank(Watch& watch, int rank, const std::string& what, const std::string& hint = {});

// Runs `body` on this rank and returns its exit code. A UsageError is the same on all ranks and is thrown on;
// any other error ends all ranks with rank 0's report. Throws BackendError where MPI started it and there is
// no MPI in this program.
ExitCode as_launched_rank(const LaunchedAs& as, double timeout_s, const OutputOptions& output,
                          Recorder& recorder,
                          const std::function<ExitCode(Session&, std::unique_ptr<Control>, Watch&)>& body);

// Throws BackendError where MPI sees another number of ranks than the launcher started: "two ranks silently
// running as two one-rank jobs", whose launcher and library do not know each other.
// Throws BackendError, or UsageError with what to type instead, where MPI cannot start under this launcher.
void check_mpi_under(const LaunchedAs& as);
void check_world(const LaunchedAs& as, int world_size);

// What rank 0 came to, for who launched it: without it, a rank that ended for no result.
void answer_launcher(ExitCode code);

// The launcher's folder for the checkpoint and the exit code; empty without one.
std::string launch_directory();

}  // namespace mlc
