// Host memory over MPI. mpi.cpp where MPI was found when the program was built, mpi_absent.cpp elsewhere.
#pragma once

#include <memory>
#include <string>

#include "bench/backends/communicator.hpp"

namespace mlc {

// Why there is no MPI in this program; empty if there is.
std::string mpi_absent();
std::string mpi_version();   // "Open MPI v4.1.4, ..."
std::string mpi_launcher();  // the mpirun that belongs to the library; empty if none was found

// One per process: initialises on construction, finalises on destruction unless the process is unwinding from
// an error (finalising waits for peers that may be gone).
class MpiSession {
 public:
  virtual ~MpiSession() = default;
  virtual std::unique_ptr<Control> make_control() = 0;
  virtual std::unique_ptr<Communicator> make_communicator() = 0;
};

// Throws BackendError.
std::unique_ptr<MpiSession> start_mpi();

}  // namespace mlc
