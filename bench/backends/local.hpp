// Ranks that are processes of one node, started by mlc-bench itself: they meet in memory that they share, and
// need no MPI. On GPUs only the control messages go through it, and NCCL carries the data.
#pragma once

#include <memory>
#include <string>

#include "bench/backends/session.hpp"
#include "validators/host/file_descriptor.hpp"

namespace mlc {

// The shared memory of a job: anonymous, so that it is gone with the last process whatever happens. The
// launcher makes it and its ranks inherit the descriptor.
class LocalSegment {
 public:
  explicit LocalSegment(int ranks);  // throws std::system_error
  int descriptor() const { return fd_.get(); }

 private:
  FileDescriptor fd_;
};

// A rank of a job whose segment it inherited as `descriptor`. Throws BackendError.
std::unique_ptr<Session> join_local(int descriptor, int rank, int ranks);

}  // namespace mlc
