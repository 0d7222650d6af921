// One operation of an emulated communicator, or one group of sends and receives, step by step.
#pragma once

#include <nccl.h>

#include <memory>
#include <vector>

#include "tests/gpu/emulation/nccl_ranks.hpp"
#include "tests/gpu/emulation/stream.hpp"

namespace emulation {

enum class Kind : std::uint64_t {
  all_reduce,
  reduce,
  broadcast,
  all_gather,
  reduce_scatter,
  all_to_all,
  gather,
  scatter,
  send,
  receive
};

struct Part {
  Kind kind;
  const void* send = nullptr;
  void* receive = nullptr;
  std::uint64_t count = 0;
  ncclDataType_t type = ncclInt8;
  ncclRedOp_t op = ncclSum;
  int root = 0;  // or the peer
  cudaStream_t stream = nullptr;
};

// What the communicator and its work on streams both know; outlives either.
struct Membership {
  Membership(const std::string& place, int size, int rank) : ranks(place, size, rank) {}
  Ranks ranks;
  std::uint64_t begun = 0;  // operations
  ncclResult_t state = ncclInProgress;
  bool over = false;  // aborted or destroyed: work on streams ends without a result
};

std::size_t width_of(ncclDataType_t type);
// What a part reads and writes of this rank's buffers. Fails by name where that is not memory of the GPU.
std::vector<Range> ranges_of(const Part& part, const Ranks& ranks);
Operation operation_of(const std::vector<Part>& parts, const std::shared_ptr<Membership>& member);

}  // namespace emulation
