#include "bench/backends/mpi.hpp"

namespace mlc {

std::string mpi_absent() { return MLC_WHY_NO_MPI; }
std::string mpi_version() { return {}; }
std::string mpi_launcher() { return {}; }
std::unique_ptr<Session> start_mpi(const LaunchedAs&) { throw BackendError("mpi: " + mpi_absent()); }

}  // namespace mlc
