// Host memory over MPI. mpi.cpp where MPI was found when the program was built, mpi_absent.cpp elsewhere.
#pragma once

#include <memory>
#include <string>

#include "bench/backends/session.hpp"
#include "bench/ranks/launched_as.hpp"

namespace mlc {

// Why there is no MPI in this program; empty if there is.
std::string mpi_absent();
std::string mpi_version();   // "Open MPI v4.1.4, ..."
std::string mpi_launcher();  // the mpirun that belongs to the library; empty if none was found

// Initialises MPI; its end finalises it unless the process is unwinding from an error (finalising waits for
// peers that may be gone). Throws BackendError.
std::unique_ptr<Session> start_mpi(const LaunchedAs& as);

}  // namespace mlc
