// GPU memory over NCCL, one process a GPU. nccl.cpp where CUDA and NCCL were found when the program was
// built, nccl_absent.cpp elsewhere.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/backends/communicator.hpp"
#include "reports/record/report.hpp"

namespace mlc {

// Why NCCL cannot be used here: not built in, no driver, no GPU. Empty if it can.
std::string nccl_absent();
bool nccl_built_in();
std::string nccl_version();
int gpu_count();  // visible to this process; 0 where there is no driver

struct NcclOptions {
  double timeout_s = 60;
  int registration = 0;  // user buffers registered with NCCL: 1 by themselves, 2 as symmetric windows (-R)
  bool graphs = false;   // timed operations are launches of a CUDA graph of one
  int aggregate = 1;     // timed operations in one group call (-m)
  int cta_policy = 0;    // NCCL's (-x)
  int first_device = 0;  // of those that this process sees
  bool share_gpu =
      false;  // ranks may share a GPU: NCCL is told that they are on different hosts, and uses sockets
  // Tells an error and ends the process: where it cannot be thrown, since nothing can be freed any more.
  std::function<void(const std::string&)> last_words;
};

// Collective over `control`. Sets this process's GPU (by its rank among those of its node), initialises NCCL
// without blocking and polls; throws BackendError after the deadline. What is measured is then a blocking
// communicator, as in training.
std::unique_ptr<Communicator> make_nccl(std::unique_ptr<Control> control, const NcclOptions& options);

// The GPU that make_nccl chose, for the report.
std::vector<Gpu> nccl_gpus();

}  // namespace mlc
