// The few verbs that measuring and validating need, as an interface: libibverbs behind it in the program,
// memory of one process in the tests. One thread uses a queue pair and its completion queue at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace mlc::rdma {

// A verb failed. what() says which and why; the caller knows rail and peer.
struct VerbsError : std::runtime_error {
  VerbsError(const std::string& what, int error) : std::runtime_error(what), code(error) {}
  int code;  // an errno
};

using GidBytes = std::array<std::uint8_t, 16>;

struct PortFacts {
  int active_mtu = 0, max_mtu = 0;  // bytes
  std::uint16_t lid = 0;
  int most_sends = 0;  // work requests a queue pair may hold
  int most_reads = 0;  // outstanding RDMA reads of a queue pair
};

enum class Verb { write, read, send };

struct Work {
  std::uint64_t id = 0;
  Verb verb = Verb::write;
  const std::byte* local = nullptr;
  std::uint32_t key = 0;  // of the local region
  std::uint32_t bytes = 0;
  std::uint64_t remote = 0;
  std::uint32_t remote_key = 0;
  bool signalled = false, inlined = false;
};

struct Receive {
  std::uint64_t id = 0;
  std::byte* local = nullptr;
  std::uint32_t key = 0, bytes = 0;
};

struct Completion {
  std::uint64_t id = 0;
  int status = 0;  // 0: good; else for status_text()
  bool received = false;
  std::uint32_t bytes = 0;  // of a receive
};

// A registered stretch of memory; deregistered on destruction.
class Region {
 public:
  virtual ~Region() = default;
  std::uint32_t local_key = 0, remote_key = 0;
};

class Completions {
 public:
  virtual ~Completions() = default;
  virtual std::size_t poll(std::span<Completion> done) = 0;
  // Blocks until something has completed, or `milliseconds` are over. May return early.
  virtual void wait(int milliseconds) = 0;
};

struct PairSettings {
  int depth = 128;   // sends outstanding
  int receives = 1;  // posted receives
  std::uint32_t inline_bytes = 0;
};

// How to reach the other end.
struct PathTo {
  std::uint32_t number = 0, sequence = 0;  // the other end's queue pair and first packet sequence number
  GidBytes gid{};
  std::uint16_t lid = 0;
  int gid_index = 0;  // of this end
  int mtu = 1024;     // bytes
  int traffic_class = 0;
  int reads = 1;  // outstanding RDMA reads
  // 20 bits; over RoCE v2 the UDP source port follows from it (ibv_flow_label_to_udp_sport). 0: the driver's.
  std::uint32_t flow_label = 0;
};

class QueuePair {
 public:
  virtual ~QueuePair() = default;
  virtual std::uint32_t number() const = 0;
  virtual void to_init() = 0;
  virtual void to_ready_to_receive(const PathTo& path) = 0;
  virtual void to_ready_to_send(std::uint32_t first_sequence, int reads) = 0;
  virtual void post(std::span<const Work> chain) = 0;  // one doorbell; at most most_in_chain
  virtual void post(const Receive& receive) = 0;
  static constexpr std::size_t most_in_chain = 64;
};

class Device {
 public:
  virtual ~Device() = default;
  virtual PortFacts port() = 0;
  virtual GidBytes gid(int index) = 0;
  virtual std::unique_ptr<Region> register_memory(std::byte* at, std::uint64_t bytes) = 0;
  // GPU memory by its dmabuf descriptor; `at` is the address that work requests name.
  virtual std::unique_ptr<Region> register_dmabuf(int descriptor, std::uint64_t offset, std::uint64_t bytes,
                                                  std::byte* at) = 0;
  virtual std::unique_ptr<Completions> make_completions(int entries) = 0;
  virtual std::unique_ptr<QueuePair> make_pair(Completions& completions, const PairSettings& settings) = 0;
};

class Verbs {
 public:
  virtual ~Verbs() = default;
  virtual std::vector<std::string> devices() const = 0;               // names; throws VerbsError
  virtual std::unique_ptr<Device> open(const std::string& name) = 0;  // throws VerbsError
  virtual std::string status_text(int status) const = 0;
};

// Why there are no verbs on this machine (not built in, or libibverbs cannot be loaded); empty if there are.
std::string verbs_absent();
std::unique_ptr<Verbs> host_verbs();  // throws VerbsError

}  // namespace mlc::rdma
