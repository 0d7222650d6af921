// Collectives of ranks that can read each other's buffers: threads of one process, or processes that share
// memory.
#pragma once

#include <memory>
#include <string_view>

#include "bench/backends/communicator.hpp"

namespace mlc {

// Where the ranks' buffers are, as each rank sees them.
class SharedMemory {
 public:
  virtual ~SharedMemory() = default;
  virtual std::uint64_t place_of(const void* at) const = 0;    // of this rank's memory, to tell the others
  virtual const std::byte* at(std::uint64_t place) const = 0;  // readable here
};

std::unique_ptr<Communicator> make_exchange(std::string_view backend, std::unique_ptr<Control> control,
                                            std::unique_ptr<Memory> memory,
                                            std::unique_ptr<SharedMemory> shared);

}  // namespace mlc
