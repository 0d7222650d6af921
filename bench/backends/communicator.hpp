// The data plane: collective operations on a backend's own memory. Backends print nothing and judge nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/backends/memory.hpp"
#include "bench/handles/error.hpp"
#include "bench/ranks/control.hpp"
#include "kernels/dtype.hpp"
#include "reports/record/series.hpp"
#include "validators/host/clock.hpp"

namespace mlc {

// One operation on this rank. `count` is in elements: of the whole message for allreduce, reduce, broadcast
// and sendrecv, of one rank's chunk for the others (as the NCCL calls have it).
struct Call {
  const void* send = nullptr;
  void* recv = nullptr;
  std::uint64_t count = 0;
  Dtype dtype = Dtype::float32;
  Redop redop = Redop::sum;
  int root = 0;
  bool in_place = false;  // send and recv overlap as NCCL defines it for the operation
};

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual std::string_view backend() const = 0;
  virtual Control& control() = 0;
  virtual Memory& memory() = 0;

  // Why this backend cannot do it; empty if it can.
  virtual std::string unsupported(Dtype dtype, Redop redop) const = 0;

  // Each returns when the operation is complete on this rank.
  virtual void all_reduce(const Call& call) = 0;
  virtual void all_gather(const Call& call) = 0;
  virtual void reduce_scatter(const Call& call) = 0;
  virtual void all_to_all(const Call& call) = 0;
  virtual void broadcast(const Call& call) = 0;
  virtual void reduce(const Call& call) = 0;
  virtual void gather(const Call& call) = 0;
  virtual void scatter(const Call& call) = 0;
  virtual void send_recv(const Call& call) = 0;  // to rank + 1, from rank - 1

  // Runs `operation` once, on every rank, and says how the library carried it (without wire_gb_s); empty
  // where it does not say, and on ranks other than 0.
  virtual std::optional<Tuning> carried(const std::function<void()>& operation) {
    (void)operation;
    return std::nullopt;
  }

  // What the library warned of since the last call, a line each.
  virtual std::vector<std::string> warnings() { return {}; }

  // Runs `operation` seconds.size() times and stores this rank's time of each. Host backends enter each
  // operation from a barrier that is not timed, so that a rank's time is its own and not that of waiting for
  // a late one; a stream backend enqueues them back to back between events.
  virtual void measure(Clock& clock, const std::function<void()>& operation, std::span<double> seconds) {
    for (double& time : seconds) {
      control().barrier();
      const double start = clock.now();
      operation();
      time = clock.now() - start;
    }
  }
};

}  // namespace mlc
