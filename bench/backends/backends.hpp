// The backends by name, whether each is there, and if not, why.
#pragma once

#include <string>
#include <vector>

namespace mlc {

struct BackendInfo {
  std::string name, summary;
  std::string absent;  // why it cannot be used here; empty if it can
  std::string version;
};

std::vector<BackendInfo> all_backends();

// nccl where it can be used, else mpi, else shm.
std::string default_backend();

}  // namespace mlc
