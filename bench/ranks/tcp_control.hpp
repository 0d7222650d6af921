// The two ends of a pair over TCP, for nodes or Pods without MPI. The end that connects is rank 0: its plan
// counts.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "bench/ranks/control.hpp"

namespace mlc::rdma {

inline constexpr int default_port = 18516;  // beside perftest's 18515

class TcpControl : public Control {
 public:
  // While measuring goes on and nothing is said: the other end's patience starts anew. Any thread.
  virtual void alive() = 0;
  // Tells the other end why this one ends. Never throws.
  virtual void broken(const std::string& why) noexcept = 0;
  virtual const std::string& peer() const = 0;  // "10.0.0.2:41022", "gpu-b:18516"
};

// Both throw BackendError within `timeout_s`: nobody came, nobody listens, what came is no mlc-bench, or one
// of another version. Every later call of the control throws when the other end is gone, says that it is
// broken, or is silent for so long.
//
// Waits for one peer; what connects and does not speak the protocol is told to `refused` and waited past.
std::unique_ptr<TcpControl> listen_for_peer(int port, double timeout_s, const std::string& program_version,
                                            const std::function<void(const std::string&)>& refused);
// Tries again until the listener is there.
std::unique_ptr<TcpControl> connect_to_peer(const std::string& host, int port, double timeout_s,
                                            const std::string& program_version);

}  // namespace mlc::rdma
