// Collectives of ranks that can read each other's buffers: threads of one process, or processes that share
// memory.
#pragma once

#include <memory>
#include <string_view>

#include "bench/backends/communicator.hpp"

namespace mlc {

// How a rank shows the others what it sends. The ranks pass a barrier after every show, and another before
// the next.
class Meeting {
 public:
  virtual ~Meeting() = default;
  virtual void show(const Call& call) = 0;
  virtual const std::byte* sent_by(int rank) const = 0;  // that rank's send buffer, as readable here
};

std::unique_ptr<Communicator> make_exchange(std::string_view backend, std::unique_ptr<Control> control,
                                            std::unique_ptr<Memory> memory, std::unique_ptr<Meeting> meeting);

}  // namespace mlc
