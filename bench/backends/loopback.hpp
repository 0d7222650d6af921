// Ranks as threads of one process: every engine test runs without MPI, and a laptop needs nothing installed.
#pragma once

#include <functional>

#include "bench/backends/communicator.hpp"

namespace mlc {

// Runs `body` once per rank, each on a thread of its own with its communicator, and returns when all have
// ended. The first exception of any rank is thrown again here; the other ranks then stop with a BackendError
// at their next operation instead of waiting for it for ever.
void run_loopback(int ranks, const std::function<void(Communicator&)>& body);

}  // namespace mlc
