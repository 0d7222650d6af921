#include "bench/backends/backends.hpp"

#include <unistd.h>

#include <cstdlib>

#include "bench/backends/mpi.hpp"
#include "bench/backends/nccl.hpp"

namespace mlc {

std::vector<BackendInfo> all_backends() {
  return {
      {"nccl", "GPU memory, one process per GPU; over several nodes launched by MPI", nccl_absent(),
       nccl_version(), nccl_built_in()},
      {"mpi", "host memory, one process per rank", mpi_absent(), mpi_version(), mpi_absent().empty()},
      {"shm", "host memory of one node, one process per rank, needs no MPI", "", ""},
      {"loopback", "host memory, ranks are threads of one process", "", ""},
  };
}

bool one_buffer_only(std::string_view backend, std::string_view collective) {
  return backend == "mpi" && collective == "broadcast";
}

std::string default_backend(bool started) {
  for (const auto& backend : all_backends())
    if (backend.absent.empty() && (started || backend.name != "mpi" || mpi_launcher_absent().empty()))
      return backend.name;
  return "loopback";
}

std::string rank_launcher() {
  const char* const other = std::getenv("MLC_MPIRUN");
  return other != nullptr && *other != '\0' ? other : mpi_launcher();
}

std::string mpi_launcher_absent() {
  if (rank_launcher() != mpi_launcher() || ::access(mpi_launcher().c_str(), X_OK) == 0) return {};
  return mpi_launcher().empty() ? "no mpirun was found when this was built"
                                : mpi_launcher() + " is not here (Debian: openmpi-bin)";
}

}  // namespace mlc
