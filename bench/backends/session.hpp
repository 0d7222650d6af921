// How the ranks of this process's job meet: over MPI, or through memory that local processes share.
#pragma once

#include <memory>

#include "bench/backends/communicator.hpp"

namespace mlc {

// One per process; ends the meeting on destruction unless the process is unwinding from an error.
class Session {
 public:
  virtual ~Session() = default;
  virtual std::unique_ptr<Control> make_control() = 0;
  virtual std::unique_ptr<Communicator> make_communicator() = 0;  // over host memory
};

}  // namespace mlc
