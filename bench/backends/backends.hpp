// The backends by name, whether each is there, and if not, why.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mlc {

struct BackendInfo {
  std::string name, summary;
  std::string absent;  // why it cannot be used here; empty if it can
  std::string version;
  bool built_in = true;  // then what is absent is the machine's
};

std::vector<BackendInfo> all_backends();

// MPI_Bcast has one buffer: out of place its root would pay for a copy of ours. Such an operation is measured
// in place, whatever placement is asked for.
bool one_buffer_only(std::string_view backend, std::string_view collective);

// nccl where it can be used, else mpi, if its ranks can be started or have been, else shm.
std::string default_backend(bool started = false);

// What starts ranks over MPI: $MLC_MPIRUN, else the mpirun that belongs to the library.
std::string rank_launcher();
// Why no rank can be started so; empty if one can. What MLC_MPIRUN names is believed.
std::string mpi_launcher_absent();

}  // namespace mlc
